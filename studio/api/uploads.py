"""Files that browsers send: how much one person may leave here, whose they are, when they go.

Gradio keeps what is sent in a folder under its content's hash and hands it to whoever names that
path. Here each file belongs to whoever sent it; and a person, and the disk, have an end.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from studio.core.errors import InputError, StudioError

LOG = logging.getLogger(__name__)
MAX_FILE = 2 << 30
MAX_PERSON, MAX_FILES = 4 << 30, 2_000
DISK_FLOOR = 1 << 30
KEPT_SECONDS, KEPT_WHEN_NEEDED, TORN_SECONDS = 12 * 3600.0, 1800.0, 900.0
FRAMING = 1 << 20  # what a form puts around its files
LOOK_EVERY = 16 << 20
# Called when a file of the upload being read begins; raises what ends the reading.
FILE_BEGINS: ContextVar[Callable[[], None] | None] = ContextVar("file_begins", default=None)


@dataclass
class _File:
    size: int
    owners: set[str]
    used: float


@dataclass
class Uploads:
    """The files that this studio's browsers have sent.

    Args:
        folder: Where Gradio puts them.
        free: Bytes left on the disk of a folder.
    """

    folder: Path
    clock: Callable[[], float] = time.time
    free: Callable[[Path], int] | None = None
    _files: dict[Path, _File] = field(default_factory=dict, repr=False)
    _coming: dict[str, int] = field(default_factory=dict, repr=False)
    _begun: dict[str, int] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def admit(self, person: str, length: int) -> None:
        """Refuse what cannot be kept, before any of it is read; 0: nobody said how long it is.

        Raises:
            InputError: This person has sent as much as one may.
            StudioError: The disk is nearly full.
        """
        if length > MAX_FILE + FRAMING:
            raise InputError(
                f"The file is larger than {_gb(MAX_FILE)}.",
                remedy="Put it on this machine and name its path, or split it.",
            )
        with self._lock:
            self._sweep(KEPT_SECONDS)
            if self._is_full(person, length, 1):
                self._sweep(KEPT_WHEN_NEEDED, person)
            self._check(person, length, 1)

    def begins(self, person: str) -> None:
        """Count a file whose first bytes have come. Raises like `admit`, when it is one too many."""
        with self._lock:
            self._begun[person] = self._begun.get(person, 0) + 1
            self._check(person, 0)

    def coming(self, person: str, length: int) -> None:
        """Count bytes as they come. Raises like `admit`, when they are too many by now."""
        with self._lock:
            before = self._coming.get(person, 0)
            self._coming[person] = before + length
            if before // LOOK_EVERY != (before + length) // LOOK_EVERY or length > LOOK_EVERY:
                self._check(person, 0)

    def ended(self, person: str, length: int, files: int = 0) -> None:
        """An upload of so many bytes and files is over, kept or not."""
        with self._lock:
            for counted, over in ((self._coming, length), (self._begun, files)):
                left = counted.pop(person, 0) - over
                if left > 0:
                    counted[person] = left

    def keep(self, person: str, paths: Iterable[str]) -> None:
        """These files have come and are this person's."""
        now = self.clock()
        with self._lock:
            for path in map(_absolute, paths):
                known = self._files.setdefault(path, _File(_size(path), set(), now))
                known.owners.add(person)
                known.used = now

    def may_read(self, person: str, path: str) -> bool:
        """Whether a file may be handed to this person; what nobody sent is not judged here."""
        if "://" in path or path.startswith(("http:", "https:")):
            return False
        try:
            file = _absolute(path)
        except ValueError:  # no file can be called so
            return False
        with self._lock:
            known = self._files.get(file)
            if known is None:
                return True
            if person in known.owners:
                known.used = self.clock()
            return person in known.owners

    def _is_full(self, person: str, length: int, more: int) -> bool:
        size, count = self._held(person)
        return size + length > MAX_PERSON or count + more > MAX_FILES

    def _held(self, person: str) -> tuple[int, int]:
        theirs = [one.size for one in self._files.values() if person in one.owners]
        return (
            sum(theirs) + self._coming.get(person, 0),
            len(theirs) + self._begun.get(person, 0),
        )

    def _check(self, person: str, length: int, more: int = 0) -> None:
        if self._is_full(person, length, more):
            raise InputError(
                f"You have sent {_gb(MAX_PERSON)} or {MAX_FILES:,} files, as much as one may.",
                remedy="Files nobody has used for half an hour make room; try again later.",
            )
        if self._free() - length < DISK_FLOOR:
            raise StudioError(
                "The disk of the studio is nearly full; the file was not taken.",
                remedy="Free some space there, then send it again.",
            )

    def _free(self) -> int:
        if self.free is not None:
            return self.free(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def _sweep(self, older: float, person: str = "") -> None:
        """Delete files not used for so many seconds, and pieces of uploads that broke off."""
        now = self.clock()
        for path, known in list(self._files.items()):
            if now - known.used > older and (not person or person in known.owners):
                _delete(path)
                del self._files[path]
        if self.folder.is_dir():
            for path in self.folder.glob("tmp*"):
                if path.is_file() and now - path.stat().st_mtime > TORN_SECONDS:
                    _delete(path)


def own_folder(folder: Path) -> Path:
    """Return a folder for the uploads of this process, after those of ended ones were deleted."""
    import psutil

    folder.mkdir(parents=True, exist_ok=True)
    host = re.sub(r"\W", "_", socket.gethostname())
    for left in folder.glob(f"{host}-*"):
        number = left.name.rpartition("-")[2]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    own = folder / f"{host}-{os.getpid()}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    return own


def _absolute(path: str | Path) -> Path:
    """The file itself: there are many ways to it through links, as /proc/self/root is one."""
    return Path(os.path.realpath(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        LOG.exception("The uploaded file %s could not be deleted", path)


def _gb(size: int) -> str:
    return f"{size >> 30} GB"
