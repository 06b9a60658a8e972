"""A well-behaved client that measures what an attack costs others."""

import json
import multiprocessing
import time

import wire

RATE = 50  # requests a second
REQUESTS_A_CONNECTION = 10  # so that new connections are measured too
PATIENCE = 5  # seconds for an answer


class Customer:
    """Calls for the length of a `with`, in a process of its own: reads, cached and not, and writes.

    A latency counts from when the request was due, not from when the one before it let it go: a stall of a second is
    paid by all that it delays.
    """

    def __init__(self, system, name="gateway"):
        self.address = system.address[name]
        self.requests = {"gateway": shopping, "web": watching("/config.json")}.get(name, watching("/status"))(system)

    def __enter__(self):
        self.stop, (self.results, theirs) = multiprocessing.Event(), multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self.run, args=(theirs,))
        self.process.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.stop.set()
        latencies, self.statuses = self.results.recv()
        self.process.join()
        self.latencies = sorted(latencies)

    def run(self, results):
        latencies, statuses, client, began = [], {}, wire.Client(self.address, timeout=PATIENCE), time.monotonic()
        while not self.stop.is_set():
            due = began + len(latencies) / RATE
            time.sleep(max(0, due - time.monotonic()))
            if len(latencies) % REQUESTS_A_CONNECTION == 0:
                client.close()
            try:
                outcome = client.ask(self.requests[len(latencies) % len(self.requests)]).status
            except wire.FAILURES as error:
                outcome = type(error).__name__
            latencies.append(1000 * (time.monotonic() - due))
            statuses[outcome] = statuses.get(outcome, 0) + 1
        # What was due and never got its turn has waited until now.
        while (late := time.monotonic() - began - len(latencies) / RATE) > 0:
            latencies.append(1000 * late)
            statuses["unsent"] = statuses.get("unsent", 0) + 1
        results.send((latencies, statuses))

    def quantile(self, share):
        """Milliseconds."""
        return self.latencies[int(share * (len(self.latencies) - 1))]

    def failed(self):
        """How many requests were refused or got no answer, per cent."""
        return 100 - 100 * sum(self.statuses.get(status, 0) for status in (200, 201)) / len(self.latencies)


def shopping(system):
    """Looks at the market and at a channel, cached and fresh, and posts."""
    token = system.account("customer")
    item = {"name": "Gold bar", "description": "1 kg", "category": "asset", "price": "12.50"}
    item = system.must("POST", "/marketplace/item", token, item)["_id"]
    channel = system.channel(token, posts=5)
    post = json.dumps({"channelId": channel, "content": "The market sets the price."}).encode()
    caller, fresh = {"authorization": wire.bearer(token)}, {"cache_control": "no-cache"}
    return [wire.request("GET", "/marketplace/list", **caller),
            wire.request("GET", f"/marketplace/item/{item}", **caller, **fresh),
            wire.request("GET", f"/discourse/channel/{channel}", **caller, **fresh),
            wire.request("POST", "/discourse/post", post, **caller)]


def watching(path):
    return lambda _: [wire.request("GET", path)]
