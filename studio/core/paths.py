"""Every name inside a workspace and inside the installed assets; no other module spells them."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from studio.core.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED_ASSETS = PACKAGE / "_assets"
# A wheel carries the assets inside the package, a checkout beside it.
ASSETS = INSTALLED_ASSETS if INSTALLED_ASSETS.is_dir() else PACKAGE.parent / "assets"
TINY_VLM = ASSETS / "tiny-vlm"
SAMPLES = ASSETS / "samples"
PRESETS = ASSETS / "presets"
ACCESS = ASSETS / "access"
WEB = ASSETS / "web"
COMMON_PASSWORDS = ACCESS / "common-passwords.txt"
EMBEDDED = "embedded"
LONGEST_PATH, LONGEST_PART = 4096, 255  # bytes; of Linux, and nowhere more


class Below:
    """A path below the root of a folder that is described as a class; `{rank}` is a process's mark."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunPaths | EvaluationPaths | Workspace, kind: type) -> Path:
        return folder.root / self._name.format(rank=folder.mark)


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Attributes:
        rank: Which of several processes looks; all but the first keep a diary of their own.
    """

    root: Path
    rank: int = 0

    config = Below("run.yaml")
    events = Below("events{rank}.jsonl")
    status = Below("status{rank}.json")
    control = Below("control.json")
    plan = Below("plan{rank}.json")
    identity = Below("began-with.json")
    log = Below("log.txt")
    checkpoints = Below("checkpoints")
    adapter = Below("adapter")
    adapter_start = Below("adapter-start")
    """The adapter as it began, of runs that need it to be saved."""
    probes = Below("probes")
    recipe = Below("recipe.json")
    rows = Below("rows")
    evaluation = Below("evaluation.json")
    """What the run came to on its held-out rows."""
    worker_lock = Below(".worker{rank}.lock")
    push_lock = Below(".push.lock")

    @property
    def run_id(self) -> str:
        return self.root.name

    @property
    def mark(self) -> str:
        """What the names of files have that each process keeps for itself."""
        return f".rank{self.rank}" if self.rank else ""

    def others(self) -> list[RunPaths]:
        """List what the other processes of the run have left here, each seen by its rank."""
        files = self.root.glob("status.rank*.json")
        ranks = sorted(int(digits) for file in files if (digits := file.name[11:-5]).isdigit())
        return [RunPaths(self.root, rank) for rank in ranks]


@dataclass(frozen=True)
class EvaluationPaths:
    """The files of one evaluation."""

    root: Path
    mark: ClassVar[str] = ""

    record = Below("evaluation.json")
    """What was asked for and, at the end, the figures."""
    rows = Below("rows.jsonl")
    """The rows as they were when it was asked for."""
    answers = Below("answers.jsonl")
    status = Below("status.json")
    control = Below("control.json")
    log = Below("log.txt")
    worker_lock = Below(".worker.lock")

    @property
    def evaluation_id(self) -> str:
        return self.root.name


@dataclass(frozen=True)
class Workspace:
    """One folder with all state. What lies below `cache` is safe to delete."""

    root: Path
    mark: ClassVar[str] = ""

    database = Below("studio.db")
    images = Below("images")
    thumbs = Below("thumbs")
    exports = Below("exports")
    runs = Below("runs")
    evaluations = Below("evaluations")
    conversations = Below("conversations")
    """What people asked in the Chat tab: a folder for each person, a small file for each one."""
    matches = Below("matches")
    """One small file for each blind match; its pairs are in the library."""
    releases = Below("releases")
    """What was made of runs for others: a folder for each run and step."""
    orders = Below("orders")
    """How the ordering of each queue of pairs stands, one small file each."""
    rounds = Below("rounds")
    """One small file for each round; what came of its steps lies where each step puts it."""
    harness = Below("harness")
    """What other harnesses measured: a folder for each time."""
    decisions = Below("decisions.jsonl")
    """Which runs were accepted or rolled back, one line each; only ever appended to."""
    settings = Below("settings")
    """Run files saved under a name, to start from again."""
    queue = Below("queue.json")
    queue_lock = Below("queue.lock")
    supervisor_lock = Below("supervisor.lock")
    studios = Below("studios")
    """One small file for each studio that has the workspace open."""
    sessions = Below("sessions.json")
    """Who is logged in."""
    journal = Below("journal")
    """What is pushed by, and came from, the journal of a Space."""
    log = Below("studio.log")
    """What went wrong, with tracebacks; a few older files beside it."""
    cache = Below("cache")
    checks = Below("cache/checks")
    """The last check of each dataset."""
    frozen = Below("cache/frozen")
    """Which export holds a state of the library."""
    dry_steps = Below("cache/dry-steps")
    """What dry steps took, by settings."""
    traces = Below("cache/traces")
    """Memory that steps took when they were traced."""
    plans = Below("cache/plans")
    """Plans by everything they depend on."""
    unfit_rows = Below("cache/unfit-rows")
    """Rows that models cannot be trained on, by all that they depend on."""
    run_cards = Below("cache/run-cards.json")
    unpacked = Below("cache/unpacked")
    """Archives unpacked for reading."""
    served = Below("cache/served")
    """Images of questions that `serve` is being asked, a folder for each of its processes."""
    uploads = Below("cache/uploads")
    """Files sent by browsers, one folder per studio that runs; safe to delete without one."""

    @classmethod
    def named(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        """Return the same workspace as `locate`, as it is: nothing is made, it may not be there."""
        chosen = Path(folder or os.environ.get("STUDIO_WORKSPACE") or "workspace")
        return cls(typed_path(str(chosen)).resolve())

    @classmethod
    def locate(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        """Return the workspace given, else `STUDIO_WORKSPACE`, else `./workspace`; make it if absent.

        Raises:
            InputError: There can be no such folder, or nothing may be made in it.
        """
        workspace = cls.named(folder)
        try:
            for part in (workspace.images, workspace.thumbs, workspace.exports, workspace.runs):
                part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(workspace.root, error) from error
        return workspace

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL: `STUDIO_DATABASE_URL` when set, else the workspace's SQLite file."""
        return os.environ.get("STUDIO_DATABASE_URL") or sqlite_url(self.database)

    def left_out(self, number: int) -> Path:
        """Return the file with the rows that import `number` left out, with reasons."""
        return self.root / "imports" / f"{number}-left-out.csv"

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.runs / run_id)

    def evaluation(self, evaluation_id: str) -> EvaluationPaths:
        return EvaluationPaths(self.evaluations / evaluation_id)


def unusable(root: Path, error: OSError) -> InputError:
    """Say that a folder cannot be a workspace, and what to do."""
    return InputError(
        f"The workspace {root} cannot be used: {error.strerror}.",
        remedy="Give another folder with --workspace, or see that this one can be written.",
    )


def typed_path(text: str) -> Path:
    """Read a path as people type it: `~` is their home; an unknown user has none."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def can_be_path(name: str) -> bool:
    """Return whether a file can have this name: asking the system for another one is an error."""
    encoded = name.encode("utf-8", "surrogatepass")
    parts = re.split(rb"[/\\]", encoded)
    longest = max(map(len, parts))
    return b"\0" not in encoded and len(encoded) < LONGEST_PATH and longest <= LONGEST_PART


def sqlite_url(path: Path) -> str:
    """Make the SQLAlchemy URL of a SQLite file, whatever characters its name has."""
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Make a new folder that becomes `target` at the end, and is gone when the block raises.

    Where another has become `target` meanwhile, that one stays.
    """
    folder = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        try:
            folder.rename(target)  # at once, so that nobody finds half of it
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name; some disks have no links, and get a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_atomic(path: Path, text: str, durable: bool = True, private: bool = False) -> None:
    """Replace `path` by `text` so that a reader sees the old or the new file, never a part.

    Args:
        durable: Wait until the disk has it. Without, a power cut may leave an empty file.
        private: Nobody but its owner may read it, at any moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    mode = 0o600 if private else 0o666
    # Created with its mode: a file made readable first could be read before it is closed.
    with open(
        temporary, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)
    ) as handle:
        handle.write(text)
        handle.flush()
        if durable:
            os.fsync(handle.fileno())
    temporary.replace(path)


def write_json(path: Path, value: object, durable: bool = True) -> None:
    """Write `value` as JSON, atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1), durable)


def read_json(path: Path) -> dict | None:
    """Read the JSON object in `path`; None when the file is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def read_state(path: Path) -> dict:
    """Read the JSON object in `path`; empty when the file is missing or damaged."""
    try:
        values = read_json(path)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
