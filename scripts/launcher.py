"""capsim on free ports and a data directory of its own, for the scripts that need a system."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SERVICES = ["accounts", "marketplace", "discourse", "feed"]  # as capsim/src/catalogue.rs has them
REPLICAS = 3
PORTS = {"GATEWAY_PORT": "0", "WEB_PORT": "0", "HOST": "127.0.0.1",
         **{f"{service.upper()}_PORTS": ",".join(["0"] * REPLICAS) for service in SERVICES}}
NO_LIMITS = {"RATE_LIMIT": "0", "AUTH_RATE_LIMIT": "0"}
PATIENCE = 60  # seconds for it to come up


def start(capsim, directory, stderr=subprocess.DEVNULL):
    """The process, and where everything is, as its ready file says: {"gateway": URL, "web": URL, "replicas": {name: host:port}}."""
    if not Path(capsim).exists():
        sys.exit(f"{capsim} is missing: cargo build --package capsim")
    Path(directory).mkdir(exist_ok=True)
    ready = Path(directory) / "ready.json"
    settings = {**os.environ, **PORTS, **NO_LIMITS, "DATA_DIR": str(Path(directory) / "data"), "READY_FILE": str(ready)}
    process = subprocess.Popen(capsim, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=settings)
    give_up = time.monotonic() + PATIENCE
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > give_up:
            process.kill()
            sys.exit(f"{capsim} did not come up")
        time.sleep(0.02)
    return process, json.loads(ready.read_text())
