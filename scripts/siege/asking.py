"""Attacks that ask: for what costs much, for what is not theirs to know, and in ways that nobody should."""

import json
import secrets
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wire
from customer import Customer
from findings import REPORTED, Finding, at_least, at_most, below, exactly, one_of
from holding import ATTACKERS, CHARACTERS, LETTER, largest_page, others
from system import System

BEHIND_PROXY = {"TRUSTED_PROXIES": "127.0.0.1"}


def heavy_pages():
    """One account asks for 25 of the largest pages a second, each fresh, and reads them."""
    with System() as system:
        page, caller = largest_page(system), wire.bearer(system.account())
        ask = wire.request("GET", page, authorization=caller, cache_control="no-cache", connection="close")
        statuses = []
        with Customer(system) as customer, ThreadPoolExecutor(16) as crowd:
            began = time.monotonic()
            for number in range(25 * 15):
                time.sleep(max(0, began + number / 25 - time.monotonic()))
                crowd.submit(lambda: statuses.append(swallow(system.gateway, ask, ATTACKERS[0])))
            crowd.shutdown(cancel_futures=True)
        ejected = system.logged("ejected: ")
    yield from others(customer)
    yield Finding("replicas ejected", ejected, exactly(0))
    yield Finding("answers with the page, %", 100 * statuses.count(200) / len(statuses), REPORTED)


def swallow(address, ask, source):
    """The status of an answer that is read and not kept, 0 where there was none."""
    buffer, status = bytearray(1 << 20), 0
    try:
        with wire.connect(address, source) as connection:
            connection.sendall(ask)
            while size := connection.recv_into(buffer):
                status = status or int(buffer[9:min(12, size)])
    except OSError:
        pass
    return status


def one_name():
    """60 wrong passwords for one name, from 20 addresses."""
    with System(**BEHIND_PROXY) as system:
        system.account("victim")
        with Customer(system) as customer, ThreadPoolExecutor(20) as crowd:
            guess = lambda number: log_in(system, "victim", f"guess {number}", f"192.0.2.{number % 20}")
            refused = [answer.status for answer in crowd.map(guess, range(60))].count(429)
        began = time.monotonic()
        while log_in(system, "victim", "correct horse", "198.51.100.1").status != 200 and time.monotonic() < began + 90:
            time.sleep(0.5)
        locked_out = time.monotonic() - began
    yield from others(customer)
    yield Finding("of 60 guesses refused with 429", refused, at_least(40))
    yield Finding("s until the owner is in", locked_out, at_most(60))


def empty_bodies():
    """60 logins without name or password, from an address that another logs in from."""
    with System(**BEHIND_PROXY) as system:
        system.account("neighbour")
        for _ in range(60):
            system.ask("POST", "/auth/login", None, {}, x_forwarded_for="192.0.2.1")
        status = log_in(system, "neighbour", "correct horse", "192.0.2.1").status
    yield Finding("status of a neighbour's login", status, exactly(200))


def log_in(system, username, password, address):
    return system.ask("POST", "/auth/login", None, {"username": username, "password": password}, x_forwarded_for=address)


def spoofed_hops():
    """Calls with a new hop each on the left, past one that the proxy wrote in a form of its own."""
    hops = ["203.0.113.1", "203.0.113.2:5678", "unknown", "[2001:db8::1]:443", "[2001:db8:1::1]", "2001:db8:2::1", "_hidden"]
    with System(**BEHIND_PROXY, RATE_LIMIT="1") as system:
        spoofed = 0
        for form, hop in enumerate(hops):
            calls = (system.ask("GET", "/marketplace/list", x_forwarded_for=f"6.6.{form}.{n}, {hop}") for n in range(6))
            spoofed += all(answer.status != 429 for answer in calls)
    yield Finding(f"of {len(hops)} forms let the client's own hop count", spoofed, exactly(0))


def existence():
    """How long a stranger waits to be told that a private channel is not for them."""
    with System(RATE_LIMIT="0") as system:
        owner, stranger = system.account(), wire.bearer(system.account())
        small, large = (system.channel(owner, posts, CHARACTERS, LETTER, type="private") for posts in (1, 3000))
        paths = [f"/discourse/channel/{channel}?limit=100" for channel in (small, large)] + [
            f"/discourse/channel/{large}?limit=100&topic=strategic"]
        asks = [wire.request("GET", path, authorization=stranger, cache_control="no-cache") for path in paths]
        times = [[] for _ in asks]
        client = wire.Client(system.gateway)
        for number in range(400 * len(asks)):
            began = time.perf_counter()
            client.ask(asks[number % len(asks)])
            times[number % len(asks)].append(1000 * (time.perf_counter() - began))
        client.close()
    few, many, filtered = map(statistics.median, times)
    yield Finding("a 403 for 3000 posts, times as long as for 1 (ms)", many / few, at_most(1.2), (many, few))
    yield Finding("… as with a filter that none passes (ms)", many / filtered, at_most(1.2), (many, filtered))


def missing_items():
    """2000 purchases of what is not there, each with a key of its own, nearly as long as keys may be."""
    with tempfile.TemporaryDirectory(prefix="capsim-siege-") as directory:
        def stored(purchases):
            with System(directory=directory, RATE_LIMIT="0") as system:
                caller, client = wire.bearer(system.account()), wire.Client(system.gateway)
                for _ in range(purchases):
                    body = json.dumps({"itemId": secrets.token_hex(12)}).encode()
                    client.ask(wire.request("POST", "/marketplace/purchase", body, authorization=caller,
                                            idempotency_key=secrets.token_hex(127)))
                client.close()
            return sum(file.stat().st_size for file in system.data.iterdir())
        few = stored(10)
        yield Finding("bytes kept for a refusal", (stored(2000) - few) / 2000, REPORTED)


def early_refusals():
    """1500 posts of 60 kB beyond the rate limit, on connections that are used again until told otherwise."""
    with System(RATE_LIMIT="1") as system:
        caller = wire.bearer(system.account())
        post = wire.request("POST", "/discourse/post", b'{"content": "' + b"x" * 60_000 + b'"}', authorization=caller)

        def post_many(source):
            client, broken = wire.Client(system.gateway, source), 0
            for _ in range(250):
                try:
                    client.ask(post)
                except wire.FAILURES:
                    broken += 1
            client.close()
            return broken

        with ThreadPoolExecutor(6) as crowd:
            broken = sum(crowd.map(post_many, ATTACKERS[:6]))
    yield Finding("of 1500 requests failed in transport", broken, exactly(0))


def rapid_reset():
    """3000 HTTP/2 connections of 40 requests each, reset in the same breath (CVE-2023-44487)."""
    with System() as system:
        caller = wire.bearer(system.account())
        with Customer(system) as customer:
            storm = wire.hello() + b"".join(
                wire.headers(stream, "GET", "/marketplace/list", authorization=caller) + wire.reset(stream)
                for stream in range(1, 81, 2))
            for number in range(3000):
                try:
                    with wire.connect(system.gateway, ATTACKERS[number % 8], timeout=1) as connection:
                        connection.sendall(storm)
                        next((kind for kind, *_ in wire.frames(connection, 0.2) if kind == wire.GOAWAY), None)
                except OSError:
                    pass  # refused or cut off, as it should be
        logged = system.logged("WARN|ERROR")
    yield from others(customer)
    yield Finding("lines of warnings in the log", logged, below(100))


def two_minds():
    """Requests that can be read in two ways, and names that read other than they are."""
    with System() as system:
        caller, other = wire.bearer(system.account()), wire.bearer(system.account())
        ask = lambda **headers: wire.once(system.gateway, wire.request("GET", "/marketplace/list", **headers)).status
        yield Finding("status: two Host", ask(host=["a", "b"], authorization=caller), exactly(400))
        yield Finding("status: two Authorization", ask(authorization=[caller, other]), exactly(400))
        name = {"name": "\u202egnp.exe", "description": "d", "category": "asset", "price": 1}
        answer = system.ask("POST", "/marketplace/item", caller.split()[1], name)
        yield Finding("status: right-to-left override in a name", answer.status, exactly(400))
        away = wire.once(system.address["web"], wire.request("GET", "//assets", host="siege"))
        strays = str(away.headers.get("location", "")).startswith("//")
        yield Finding("`//assets` leads to another host", int(strays), exactly(0))


def foreign_grpc():
    """gRPC as only HTTP/2 with its own content type carries it."""
    call, replica = "/capsim.marketplace.v1.Marketplace/ListItems", "marketplace"
    with System() as system:
        old = wire.request("POST", call, b"\0\0\0\0\0", content_type="application/grpc", te="trailers")
        yield Finding("status: gRPC over HTTP/1.1", wire.once(system.address[replica], old).status, one_of(400, 415, 426, 505))
        with wire.connect(system.address[replica]) as connection:
            connection.sendall(wire.hello() + wire.headers(1, "POST", call, content_type="text/plain", te="trailers"))
            answers = (payload for kind, _, payload in wire.frames(connection, 5) if kind == wire.HEADERS)
            yield Finding("status: gRPC as text/plain", wire.status(next(answers)), exactly(415))


ATTACKS = {
    "4 heavy pages": heavy_pages,
    "5 guessing one name": one_name,
    "5 empty bodies": empty_bodies,
    "6 X-Forwarded-For": spoofed_hops,
    "7 existence by time": existence,
    "8 growth": missing_items,
    "9 early 429": early_refusals,
    "9 rapid reset": rapid_reset,
    "9 two minds": two_minds,
    "15 foreign gRPC": foreign_grpc,
}
