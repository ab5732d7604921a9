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


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Attributes:
        rank: Which of several processes looks; all but the first keep a diary of their own.
    """

    root: Path
    rank: int = 0

    @property
    def run_id(self) -> str:
        return self.root.name

    @property
    def config(self) -> Path:
        return self.root / "run.yaml"

    @property
    def events(self) -> Path:
        return self.root / f"events{self._suffix}.jsonl"

    @property
    def status(self) -> Path:
        return self.root / f"status{self._suffix}.json"

    @property
    def control(self) -> Path:
        return self.root / "control.json"

    @property
    def plan(self) -> Path:
        return self.root / f"plan{self._suffix}.json"

    @property
    def identity(self) -> Path:
        return self.root / "began-with.json"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.root / "adapter"

    @property
    def adapter_start(self) -> Path:
        """The adapter as it began, of runs that need it to be saved."""
        return self.root / "adapter-start"

    @property
    def probes(self) -> Path:
        return self.root / "probes"

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.json"

    @property
    def rows(self) -> Path:
        return self.root / "rows"

    @property
    def worker_lock(self) -> Path:
        return self.root / f".worker{self._suffix}.lock"

    @property
    def push_lock(self) -> Path:
        return self.root / ".push.lock"

    def others(self) -> list[RunPaths]:
        """What the other processes of the run have left here, each seen by its rank."""
        found = self.root.glob("status.rank*.json")
        ranks = sorted(int(digits) for file in found if (digits := file.name[11:-5]).isdigit())
        return [RunPaths(self.root, rank) for rank in ranks]

    @property
    def _suffix(self) -> str:
        return f".rank{self.rank}" if self.rank else ""


@dataclass(frozen=True)
class Workspace:
    """One folder with all state."""

    root: Path

    @classmethod
    def named(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        """The same workspace as `locate` gives, as it is: nothing is made, it may not be there."""
        chosen = Path(folder or os.environ.get("STUDIO_WORKSPACE") or "workspace")
        return cls(typed_path(str(chosen)).resolve())

    @classmethod
    def locate(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        """The workspace given, else `STUDIO_WORKSPACE`, else `./workspace`; created if absent.

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
    def database(self) -> Path:
        return self.root / "studio.db"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL: `STUDIO_DATABASE_URL` when set, else the workspace's SQLite file."""
        return os.environ.get("STUDIO_DATABASE_URL") or sqlite_url(self.database)

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def thumbs(self) -> Path:
        return self.root / "thumbs"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def settings(self) -> Path:
        """Run files saved under a name, to start from again."""
        return self.root / "settings"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def checks(self) -> Path:
        """The last check of each dataset; safe to delete."""
        return self.cache / "checks"

    @property
    def frozen(self) -> Path:
        """Which export holds a state of the library; safe to delete."""
        return self.cache / "frozen"

    @property
    def dry_steps(self) -> Path:
        """What dry steps took, by settings; safe to delete."""
        return self.cache / "dry-steps"

    @property
    def traces(self) -> Path:
        """Memory that steps took when they were traced; safe to delete."""
        return self.cache / "traces"

    @property
    def plans(self) -> Path:
        """Plans by everything they depend on; safe to delete."""
        return self.cache / "plans"

    @property
    def unfit_rows(self) -> Path:
        """Rows that models cannot be trained on, by all that they depend on; safe to delete."""
        return self.cache / "unfit-rows"

    @property
    def queue(self) -> Path:
        return self.root / "queue.json"

    @property
    def queue_lock(self) -> Path:
        return self.root / "queue.lock"

    @property
    def studios(self) -> Path:
        """One small file for each studio that has the workspace open."""
        return self.root / "studios"

    @property
    def journal(self) -> Path:
        """What is pushed by, and came from, the journal of a Space."""
        return self.root / "journal"

    @property
    def sessions(self) -> Path:
        """Who is logged in."""
        return self.root / "sessions.json"

    @property
    def uploads(self) -> Path:
        """Files sent by browsers, one folder per studio that runs; safe to delete without one."""
        return self.cache / "uploads"

    @property
    def run_cards(self) -> Path:
        return self.cache / "run-cards.json"

    @property
    def unpacked(self) -> Path:
        """Archives unpacked for reading; safe to delete."""
        return self.cache / "unpacked"

    def left_out(self, number: int) -> Path:
        """The rows that import `number` left out, with reasons."""
        return self.root / "imports" / f"{number}-left-out.csv"

    @property
    def log(self) -> Path:
        """What went wrong, with tracebacks; a few older files beside it."""
        return self.root / "studio.log"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "supervisor.lock"

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.runs / run_id)


def unusable(root: Path, error: OSError) -> InputError:
    """Say that a folder cannot be a workspace, and what to do."""
    return InputError(
        f"The workspace {root} cannot be used: {error.strerror}.",
        remedy="Give another folder with --workspace, or see that this one can be written.",
    )


def typed_path(text: str) -> Path:
    """A path as people type it: `~` is their home. A user whom nobody knows has none."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def can_be_path(name: str) -> bool:
    """Whether a file can have this name: asking the system for another one is an error."""
    encoded = name.encode("utf-8", "surrogatepass")
    parts = re.split(rb"[/\\]", encoded)
    longest = max(map(len, parts))
    return b"\0" not in encoded and len(encoded) < LONGEST_PATH and longest <= LONGEST_PART


def sqlite_url(path: Path) -> str:
    """SQLAlchemy URL of a SQLite file, whatever characters its name has."""
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A new folder that becomes `target` when the block ends, and is gone when the block raises.

    Where another has become `target` meanwhile, that one stays.
    """
    folder = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_atomic(path: Path, text: str, durable: bool = True, private: bool = False) -> None:
    """Replace `path` by `text` so that a reader sees the old or the new file, never a part.

    Args:
        durable: Wait until the disk has it. Without, a power cut may leave an empty file.
        private: Nobody but its owner may read it, at any moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with open(temporary, "w", encoding="utf-8", opener=_owners if private else None) as handle:
        handle.write(text)
        handle.flush()
        if durable:
            os.fsync(handle.fileno())
    temporary.replace(path)


def _owners(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_json(path: Path, value: object, durable: bool = True) -> None:
    """Write `value` as JSON, atomically."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1), durable)


def read_json(path: Path) -> dict | None:
    """The JSON object in `path`, or None when the file is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def read_state(path: Path) -> dict:
    """The JSON object in `path`; empty where there is none, or the file is damaged."""
    try:
        values = read_json(path)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
