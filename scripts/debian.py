"""Packages of Debian, for the scripts beside this file."""

import os
import shutil
import subprocess


def install(package):
    """Installs a package, on Debian as root; elsewhere does nothing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "-qq", "update"], **quiet)
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", package], **quiet)
