"""The system that is besieged: one capsim on a new data directory, on loopback, and what can be seen of it."""

import json
import os
import re
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "scripts"))

import wire
from launcher import PORTS

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CAPSIM = Path(os.environ.get("CAPSIM", TARGET / "dist/capsim"))
PATIENCE = 30  # seconds for it to come up
ESTABLISHED, CLOSE_WAIT = "01", "08"


class System:
    """Runs for the length of a `with`. `files` is the soft limit of open files that it starts with."""

    def __init__(self, files=None, directory=None, **settings):
        self.files, self.settings, self.directory, self.address = files, settings, directory, {}

    def __enter__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="capsim-siege-")
        self.data = Path(self.directory or self.scratch.name) / "data"
        self.ready = Path(self.scratch.name) / "ready.json"
        self.log = open(Path(self.scratch.name) / "log", "w+")
        pages = Path(self.scratch.name) / "web"
        (pages / "assets").mkdir(parents=True)
        (pages / "index.html").write_text("a page")
        environment = {**os.environ, **PORTS, "DATA_DIR": str(self.data), "WEB_DIR": str(pages),
                       "READY_FILE": str(self.ready), **self.settings}
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = (self.files or hard, hard)
        self.process = subprocess.Popen(CAPSIM, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log,
                                        env=environment, process_group=0,
                                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        try:
            self.until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.scratch.cleanup()

    def until_ready(self):
        """Learns where everything listens, by the file that it writes once it serves: first replicas by their service."""
        give_up = time.monotonic() + PATIENCE
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > give_up:
                sys.exit(f"siege: {CAPSIM} did not come up:\n{self.log_text()}")
            time.sleep(0.05)
        places = json.loads(self.ready.read_text())
        firsts = {name.removesuffix("-1"): address for name, address in places["replicas"].items()}
        for name, place in [*firsts.items(), ("gateway", places["gateway"]), ("web", places["web"])]:
            host, port = place.removeprefix("http://").rsplit(":", 1)
            self.address[name] = (host, int(port))

    @property
    def gateway(self):
        return self.address["gateway"]

    def ask(self, method, path, token=None, body=None, **headers):
        """One request to the gateway, and its answer. `body` is what becomes JSON."""
        if token:
            headers["authorization"] = wire.bearer(token)
        body = None if body is None else json.dumps(body).encode()
        return wire.once(self.gateway, wire.request(method, path, body, connection="close", **headers))

    def must(self, *arguments, **headers):
        """The body of an answer that has to be a success."""
        answer = self.ask(*arguments, **headers)
        if answer.status not in (200, 201):
            sys.exit(f"siege: {arguments[0]} {arguments[1]}: {answer.status} {answer.body[:300]}")
        return answer.json()

    def account(self, name=None):
        """The token of a new account."""
        who = {"username": name or f"siege-{secrets.token_hex(4)}", "password": "correct horse"}
        self.must("POST", "/auth/register", None, who)
        return self.must("POST", "/auth/login", None, who)["token"]

    def channel(self, token, posts=0, characters=200, letter="x", **fields):
        """The id of a new channel with so many posts."""
        channel = self.must("POST", "/discourse/channel", token, {"name": "Siege", **fields})["id"]
        body = json.dumps({"channelId": channel, "content": letter * characters}, ensure_ascii=False).encode()
        post = wire.request("POST", "/discourse/post", body, authorization=wire.bearer(token))
        author = wire.Client(self.gateway)
        for _ in range(posts):
            # Large answers count as many calls: who fills a channel with them is told to wait.
            while (answer := author.ask(post)).status == 429:
                time.sleep(1)
            if answer.status != 201:
                sys.exit(f"siege: a post was refused: {answer.status} {answer.body[:300]}")
        author.close()
        return channel

    def peak_mib(self):
        """The most memory that it ever had, MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def held(self, name, sources):
        """How many connections from these addresses to one of its ports are open on its side, or wait to be taken."""
        mine, theirs = hexadecimal(*self.address[name]), {hexadecimal(source) for source in sources}
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        # A set: the kernel may show a row twice while others come and go.
        return len({row[2] for row in rows
                    if row[1] == mine and row[2][:8] in theirs and row[3] in (ESTABLISHED, CLOSE_WAIT)})

    def log_text(self):
        return Path(self.log.name).read_text(errors="replace")

    def logged(self, pattern):
        """How many lines of the log match."""
        return sum(bool(re.search(pattern, line)) for line in self.log_text().splitlines())


def hexadecimal(host, port=None):
    """An address as /proc/net/tcp writes it: little-endian, the port big-endian."""
    text = "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
    return text if port is None else f"{text}:{port:04X}"
