"""Attacks that take something and do not give it back: connections, memory, places among those in flight."""

import itertools
import selectors
import time

import wire
from customer import Customer
from findings import Finding, below, exactly
from system import System

ATTACKERS = [f"127.0.0.{number}" for number in range(2, 10)]
LATENCY = below(50)  # ms, what is demanded of a well-behaved client's p99
LET_GO = 15  # seconds: the 10 that a silent connection has, and time for the others to be taken from the backlog


def others(customer):
    """What an attack cost a well-behaved client."""
    median, slowest = customer.quantile(0.5), customer.quantile(1)
    yield Finding("others' p99 (median, slowest), ms", customer.quantile(0.99), LATENCY, (median, slowest))
    yield Finding("others' requests that failed, %", customer.failed(), exactly(0))


def nothing():
    """No attack: what the machine does to a client by itself."""
    with System() as system, Customer(system) as customer:
        time.sleep(10)
    yield from others(customer)


LITTLE = [b"", b"P", wire.PREFACE[:16], wire.hello()]


def silent(port, sockets, sources, files=None):
    """Connections that say nothing, or one letter, or half of an HTTP/2 preface or all of it, and stay."""
    def attack():
        with System(files=files) as system:
            with Customer(system, port) as customer:
                address, little, source = system.address[port], itertools.cycle(LITTLE), itertools.cycle(sources)
                held = [wire.begin(address, next(little), next(source), timeout=2) for _ in range(sockets)]
                time.sleep(LET_GO)
                left = system.held(port, sources)
            let_go(held)
        yield from others(customer)
        yield Finding(f"of {sockets} still open after {LET_GO} s", left, exactly(0))
    return attack


def let_go(connections):
    for connection in connections:
        if connection:
            connection.close()


POSTS, CHARACTERS, LETTER = 100, 20_000, "€"  # the largest page that the limits allow
MEMORY = below(256)  # MiB
UNREAD = 25  # seconds: an answer that makes no progress has 10


def largest_page(system):
    """The path of the page that costs most, asked for fresh, 100 posts of 20 000 characters: 6 MB."""
    channel = system.channel(system.account(), POSTS, CHARACTERS, LETTER)
    return f"/discourse/channel/{channel}?limit=100"


def unread_answers():
    """150 connections ask for the largest page and do not read the answer."""
    with System() as system:
        page, callers = largest_page(system), [wire.bearer(system.account()) for _ in range(3)]
        with Customer(system) as customer:
            asks = [wire.request("GET", page, authorization=caller, cache_control="no-cache") for caller in callers]
            held = [wire.begin(system.gateway, asks[number % 3], ATTACKERS[number % 3], receive_buffer=4096)
                    for number in range(150)]
            time.sleep(UNREAD)
            left = system.held("gateway", ATTACKERS)
        peak = system.peak_mib()
        let_go(held)
    yield from others(customer)
    yield Finding("peak memory, MiB", peak, MEMORY)
    yield Finding(f"of 150 still open after {UNREAD} s", left, exactly(0))


def closed_window():
    """One HTTP/2 connection asks for the largest page 100 times and lets no byte of the answers through."""
    with System() as system:
        page, caller = largest_page(system), wire.bearer(system.account())
        with Customer(system) as customer, wire.connect(system.gateway, ATTACKERS[0]) as connection:
            streams = range(1, 201, 2)
            ask = (wire.headers(stream, "GET", page, authorization=caller, cache_control="no-cache") for stream in streams)
            connection.sendall(wire.hello(window=0) + b"".join(ask))
            began = time.monotonic()
            ended = sum(kind == wire.RST_STREAM or kind in (wire.DATA, wire.HEADERS) and flags & wire.END_STREAM != 0
                        for kind, flags, _ in wire.frames(connection, UNREAD))
            time.sleep(max(0, began + UNREAD - time.monotonic()))
            left = system.held("gateway", ATTACKERS) and len(streams) - ended
        peak = system.peak_mib()
    yield from others(customer)
    yield Finding("peak memory, MiB", peak, MEMORY)
    yield Finding(f"of 100 streams still open after {UNREAD} s", left, exactly(0))


def slow_bodies():
    """Two accounts call 99 times a second each, and their bodies never end."""
    with System() as system:
        posts = [wire.request("POST", "/discourse/post", b"{", authorization=wire.bearer(system.account()), content_length=1000)
                 for _ in range(2)]
        with Customer(system) as customer, selectors.DefaultSelector() as waiting:
            began, sent = time.monotonic(), 0
            while (now := time.monotonic()) < began + 15:
                while sent < (now - began) * 2 * 99:
                    post = wire.begin(system.gateway, posts[sent % 2], ATTACKERS[sent % 4], timeout=1)
                    post and waiting.register(post, selectors.EVENT_READ)
                    sent += 1
                for answered, _ in waiting.select(timeout=0.01):
                    waiting.unregister(answered.fileobj)
                    answered.fileobj.close()
            let_go([held.fileobj for held in waiting.get_map().values()])
    yield from others(customer)


ATTACKS = {
    "0 none": nothing,
    "1 silent, gateway, 1 address": silent("gateway", 4200, ATTACKERS[:1]),
    "1 silent, gateway, 8 addresses": silent("gateway", 4200, ATTACKERS),
    "1 silent, `ulimit -n 1024`": silent("gateway", 1100, ATTACKERS, files=1024),
    "1 silent, web UI": silent("web", 4200, ATTACKERS),
    "1 silent, replica": silent("marketplace", 4200, ATTACKERS),
    "2 unread, HTTP/1.1": unread_answers,
    "2 unread, HTTP/2": closed_window,
    "3 slow bodies": slow_bodies,
}
