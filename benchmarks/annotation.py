"""How fast, and how safe, labelling is: real HTTP, separate clients, images on.

    python benchmarks/annotation.py [--annotators 50] [--labels 10000] [--json]
    python benchmarks/annotation.py --kills 200 [--json]

Each client is its own thread with its own connection and account: it saves an answer, gets the
next pairs with the reply, and fetches the image of the one to show. `p50_ms` and `p95_ms` are of
save and next together, `floor_p95_ms` of a request to a route that does nothing, in the same run
under the same load. `server_cpu_ms` is the processor time the server used for each save with all that
belongs to it; unlike the others it hardly depends on what else the machine does. With --kills the studio is killed with SIGKILL in the middle of saves and started
again, while commands that open the same database run beside (annotation_background.py) and the studio
itself freezes rows; every acknowledged label is looked for, under the name of who gave it.
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
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SERVER = Path(__file__).with_name("annotation_server.py")
BESIDE = Path(__file__).with_name("annotation_background.py")
sys.path.insert(0, str(ROOT))
HEADERS = {"X-Studio": "1", "Content-Type": "application/json"}
START_SECONDS = 300.0
PAIRS_A_ROUND = 30
PEOPLE = 3
KILL_AT_LEAST_AFTER = 30.0


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
    from studio.core.paths import Workspace
    from studio.data.image_store import ImageStore
    from studio.data.schema import Answer, Message, Part, Row

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

    def __init__(self, workspace: Path, freezing: bool = False) -> None:
        self.file, self.deleted = workspace / "port", 0
        command = [sys.executable, str(SERVER), str(workspace)]
        command += ["--freezing"] if freezing else []
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
        """End it at once; `deleted` is how many deleted files of the database it had open."""
        self.deleted = len(deleted_files(self.pid))
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self.nursery.stdin.close()
        self.nursery.wait()


def deleted_files(pid: int) -> list[str]:
    """Files of the database that a process writes into although they have no name any more."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.append(str(descriptor.readlink()))
        except OSError:  # closed meanwhile
            continue
    return [link for link in found if "studio.db" in link and link.endswith(" (deleted)")]


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


Answer = tuple[str, str, int]
"""The key of an answer, who gave it, and the pair by the name that person's page has for it."""


def answers_in(connection: sqlite3.Connection) -> list[Answer]:
    """Every answer in the database."""
    from studio.annotation.labeling.showings import Viewer

    (secret,) = connection.execute("SELECT value FROM secrets WHERE name = 'showings'").fetchone()
    rows = connection.execute(
        "SELECT l.key, a.name, l.pair_id, l.repeat FROM labels l "
        "JOIN annotators a ON a.id = l.annotator_id"
    )
    return [
        (key, name, Viewer(secret, name).handle(pair, bool(repeat)))
        for key, name, pair, repeat in rows
    ]


def kill_often(rounds: int, beside: bool = True) -> dict:
    """SIGKILL in the middle of saves, again and again; every acknowledged label exactly once.

    Args:
        beside: Let imports, exports, backups, checks, plans, doctor and, in the studio's own
            process, freezes go on meanwhile.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as scratch:
        workspace = Path(folder)
        fill(workspace, PAIRS_A_ROUND * rounds)
        others = Others(workspace, Path(scratch)) if beside else None
        studio = Studio(workspace, freezing=beside)
        acknowledged: list[Answer] = []
        deleted = 0
        for number in range(rounds):
            port = studio.start()
            acknowledged += save_until_killed(port, number, studio)
            deleted += studio.deleted
        studio.close()
        went = others.close() if others else {}
        with sqlite3.connect(workspace / "studio.db") as connection:
            check = connection.execute("PRAGMA integrity_check").fetchone()[0]
            stored = answers_in(connection)
        connection.close()
    return (
        {"kills": rounds}
        | compare(acknowledged, stored)
        | {
            "deleted_files_held": deleted,
            "integrity": check,
        }
        | went
    )


def compare(acknowledged: list[Answer], stored: list[Answer]) -> dict[str, int]:
    """What became of the answers that the studio said were saved."""
    keys = Counter(key for key, _, _ in stored)
    given = {key: (name, pair) for key, name, pair in stored}
    return {
        "acknowledged": len(acknowledged),
        "lost": sum(keys[key] == 0 for key, _, _ in acknowledged),
        "doubled": sum(count > 1 for count in keys.values()),
        "misnamed": sum(
            given.get(key, (name, pair)) != (name, pair) for key, name, pair in acknowledged
        ),
        "unacknowledged": len(keys) - len(acknowledged),
    }


class Others:
    """The process that does what else goes on; see `annotation_background.py`."""

    def __init__(self, workspace: Path, scratch: Path) -> None:
        command = [sys.executable, str(BESIDE), str(workspace), str(scratch)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        until = time.monotonic() + START_SECONDS
        while not (scratch / "imported").exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("The commands beside did not start.")
            time.sleep(0.05)

    def close(self) -> dict:
        """End them; how often each was done, and how often it failed."""
        said, _ = self.process.communicate()
        return json.loads(said)


def save_until_killed(port: int, number: int, studio: Studio) -> list[Answer]:
    """The answers the studio said were saved, until it is killed in the middle of saves."""
    done: list[Answer] = []
    first = threading.Event()
    people = [
        threading.Thread(target=keep_saving, args=(port, number, f"person-{who}", done, first))
        for who in range(PEOPLE)
    ]
    for person in people:
        person.start()
    first.wait(KILL_AT_LEAST_AFTER)
    time.sleep(random.uniform(0.0, 0.15))
    studio.kill()
    for person in people:
        person.join()
    return done


def keep_saving(
    port: int, number: int, name: str, done: list[Answer], first: threading.Event
) -> None:
    """Save one answer after the other under one name, until the studio is gone."""
    client = Client(port, name)
    saved = 0
    try:
        while cards := client.next():
            for card in cards:
                key = f"round-{number}-{name}-{saved}-key"
                client.save(card, key)
                done.append((key, name, card["pair_id"]))
                saved += 1
                first.set()
    except (OSError, http.client.HTTPException):
        pass


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
