"""How fast, and how safe, labelling is: real HTTP, separate clients, images on.

    python benchmarks/annotation.py [--annotators 50] [--labels 10000] [--json]
    python benchmarks/annotation.py --kills 200 [--json]

Each client is its own thread with its own connection and account: it saves an answer, gets the
next pairs with the reply, and fetches the image of the one to show. `p50_ms` and `p95_ms` are of
save and next together, `floor_p95_ms` of a request to a route that does nothing, in the same run
under the same load. `server_cpu_ms` is the processor time the server used for each save with all that
belongs to it; unlike the others it hardly depends on what else the machine does. With --kills the studio is killed with SIGKILL in the middle of saves and started
again, and every acknowledged label is looked for.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SERVER = Path(__file__).with_name("annotation_server.py")
sys.path.insert(0, str(ROOT))
HEADERS = {"X-Studio": "1", "Content-Type": "application/json"}
START_SECONDS = 300.0
PAIRS_A_ROUND = 30


@dataclass
class Tally:
    """What the clients saw."""

    times: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


def fill(workspace: Path, pairs: int) -> None:
    """A dataset with one small image for every ten pairs."""
    from PIL import Image

    from studio.annotation import AnnotationStore
    from studio.data.images import ImageStore
    from studio.data.schema import Answer, Message, Part, Row
    from studio.paths import Workspace

    place = Workspace.locate(workspace)
    images, store = ImageStore(place), AnnotationStore(place.database_url)
    shas = []
    for number in range(20):
        buffer = io.BytesIO()
        Image.new("RGB", (640, 400), (number * 12, 90, 140)).save(buffer, "PNG")
        shas.append(images.add(buffer.getvalue()))
    rows = (
        Row(
            f"row-{number}",
            (shas[number % len(shas)],),
            (Message("user", (Part("image"), Part("text", f"Which bar is {number}?"))),),
            candidates=(Answer(f"the red one, {number}", "a"), Answer(f"blue {number}", "b")),
        )
        for number in range(pairs)
    )
    store.add_rows("charts", rows)
    store.close()


class Client:
    """One annotator with one connection."""

    def __init__(self, port: int, name: str) -> None:
        self.name, self.port = name, port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: dict) -> dict:
        headers = HEADERS | {"X-Name": self.name}
        self.connection.request("POST", path, json.dumps(body), headers)
        reply = self.connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {content[:200]!r}")
        return json.loads(content)

    def image(self, sha: str) -> None:
        self.connection.request("GET", f"/studio/images/{sha}")
        self.connection.getresponse().read()

    def next(self) -> list[dict]:
        return self.post("/studio/annotate/next", {"progress": False})["cards"]

    def save(self, card: dict, key: str) -> dict:
        body = {
            "key": key,
            "pair_id": card["pair_id"],
            "kind": "choose",
            "winner": random.choice(("left", "right")),
            "expected_version": card["version"],
            "elapsed_ms": 1500,
            "showing": card["showing"],
            "next": {"progress": False},
        }
        return self.post("/studio/annotate/save", body)


class Studio:
    """The server as a process of its own, started as often as one likes."""

    def __init__(self, workspace: Path) -> None:
        self.file = workspace / "port"
        command = [sys.executable, str(SERVER), str(workspace)]
        self.nursery = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)
        self.pid = 0

    def start(self) -> int:
        """Start one; returns its port."""
        self.file.unlink(missing_ok=True)
        self.nursery.stdin.write("start\n")
        self.nursery.stdin.flush()
        until = time.monotonic() + START_SECONDS
        while not self.file.exists():
            if self.nursery.poll() is not None or time.monotonic() > until:
                raise RuntimeError("The studio did not start.")
            time.sleep(0.01)
        found = json.loads(self.file.read_text("utf-8"))
        self.pid = found["pid"]
        return found["port"]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self.nursery.stdin.close()
        self.nursery.wait()


def label(port: int, name: str, count: int, tally: Tally, lock: threading.Lock) -> None:
    """Save `count` answers, each followed by the next pair and its image; time both."""
    client = Client(port, name)
    cards = client.next()
    times, floor, done = [], [], []
    for number in range(count):
        if not cards:
            break
        card = cards[0]
        begun = time.perf_counter()
        key = f"{name}-{number:05d}-key"
        cards = client.save(card, key)["next"]["cards"]
        times.append(time.perf_counter() - begun)
        done.append(key)
        if cards:
            client.image(cards[0]["images"][0])
        if number % 10 == 0:
            begun = time.perf_counter()
            client.post("/nothing", {})
            floor.append(time.perf_counter() - begun)
    with lock:
        tally.times += times
        tally.floor += floor
        tally.acknowledged += done


def measure(annotators: int, labels: int) -> dict:
    """Label with many clients at once."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        fill(workspace, labels + 5 * annotators)
        studio = Studio(workspace)
        port = studio.start()
        tally, lock = Tally(), threading.Lock()
        each = -(-labels // annotators)
        threads = [
            threading.Thread(target=label, args=(port, f"person-{n}", each, tally, lock))
            for n in range(annotators)
        ]
        begun, worked = time.perf_counter(), cpu_seconds(studio.pid)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds, worked = time.perf_counter() - begun, cpu_seconds(studio.pid) - worked
        studio.kill()
        studio.close()
        return result(workspace, tally) | {
            "annotators": annotators,
            "labels_per_second": round(len(tally.times) / seconds, 1),
            "server_cpu_ms": round(1000 * worked / max(1, len(tally.times)), 2),
        }


def result(workspace: Path, tally: Tally) -> dict:
    """The figures, checked against the database."""
    with sqlite3.connect(workspace / "studio.db") as connection:
        rows = connection.execute(
            "SELECT key, annotator_id, pair_id, repeat FROM labels"
        ).fetchall()
    connection.close()
    stored = Counter(key for key, *_ in rows)
    pairs = Counter(pair for pair, _ in {(pair, who) for _, who, pair, again in rows if not again})
    return {
        "p50_ms": percentile(tally.times, 0.5),
        "p95_ms": percentile(tally.times, 0.95),
        "labels": len(tally.acknowledged),
        "lost": sum(stored[one] != 1 for one in tally.acknowledged),
        "duplicate_claims": sum(count - 1 for count in pairs.values()),
        "floor_p95_ms": percentile(tally.floor, 0.95),
    }


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far, in user and system."""
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds; 0 of nothing."""
    ordered = sorted(seconds)
    return round(1000 * ordered[int(share * (len(ordered) - 1))], 1) if ordered else 0.0


def kill_often(rounds: int) -> dict:
    """SIGKILL in the middle of saves, again and again; every acknowledged label exactly once."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        fill(workspace, PAIRS_A_ROUND * rounds)
        studio = Studio(workspace)
        acknowledged: list[str] = []
        for number in range(rounds):
            port = studio.start()
            acknowledged += save_until_killed(port, number, studio.kill)
        studio.close()
        with sqlite3.connect(workspace / "studio.db") as connection:
            check = connection.execute("PRAGMA integrity_check").fetchone()[0]
            keys = Counter(key for (key,) in connection.execute("SELECT key FROM labels"))
        connection.close()
    return {
        "kills": rounds,
        "acknowledged": len(acknowledged),
        "lost": sum(keys[key] == 0 for key in acknowledged),
        "doubled": sum(count > 1 for count in keys.values()),
        "unacknowledged": len(keys) - len(acknowledged),
        "integrity": check,
    }


def save_until_killed(port: int, number: int, kill: Callable[[], None]) -> list[str]:
    """Keys of the answers the studio said were saved, until `kill` strikes between two of them."""
    done: list[str] = []
    client = Client(port, "person")
    timer = threading.Timer(random.uniform(0.0, 0.15), kill)
    try:
        while cards := client.next():
            for card in cards:
                key = f"round-{number}-{len(done)}-key"
                client.save(card, key)
                done.append(key)
                if len(done) == 1:
                    timer.start()
    except (OSError, http.client.HTTPException):
        pass
    if not done:  # earlier rounds have saved all there was
        timer.start()
    timer.join()
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotators", type=int, default=1)
    parser.add_argument("--labels", type=int)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args()
    if flags.kills:
        found = kill_often(flags.kills)
    else:
        found = measure(
            flags.annotators, flags.labels or (500 if flags.annotators == 1 else 10_000)
        )
    if flags.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
