"""Seconds from `python app.py` to the first page, on a warm disk: python benchmarks/startup.py.

The studio is started once to warm the disk's cache, then `--repeat` times in an empty workspace;
a page counts as served when the address answers 200 and all of it has arrived.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 4.0
PATIENCE_SECONDS = 120.0


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_page(workspace: str) -> float:
    """Start the studio, wait for its page, end it; seconds from start to page."""
    port = free_port()
    command = [sys.executable, "app.py", "--no-browser", "--workspace", workspace]
    began = time.perf_counter()
    studio = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/", studio)
        return time.perf_counter() - began
    finally:
        studio.terminate()
        studio.wait(timeout=30)


def _wait(url: str, studio: subprocess.Popen) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and studio.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as page:
                page.read()
            return
        time.sleep(0.02)
    raise SystemExit(f"No page came from {url}; the studio's messages are above.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first_page(folder)
        seconds = [first_page(folder) for _ in range(flags.repeat)]
    found = {
        "first_page_seconds": round(statistics.median(seconds), 2),
        "fastest": round(min(seconds), 2),
        "slowest": round(max(seconds), 2),
        "limit_seconds": LIMIT_SECONDS,
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
