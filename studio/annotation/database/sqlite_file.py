"""The file of an SQLite database: made whole, checked before use, watched while it is open.

Nothing here opens the file by itself: closing a file that the process has open through SQLite
drops SQLite's locks on it (https://www.sqlite.org/howtocorrupt.html, 2.2), and the next process
that closes the database then deletes the journal that this one still writes into.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import DataError, StudioError

logger = logging.getLogger(__name__)
APPLICATION_ID = 0x564C4D53
HEADER = 100
LOOKS, LOOK_SECONDS = 5, 0.1
RESCUE_AGAIN = 60.0  # seconds until a rescue that failed is tried again
RESCUED, SET_ASIDE = "rescued-", ".before-restore"
MOVED = "was deleted or moved, or its disk is gone"
REPLACED = "was replaced by another file"
JOURNAL_LOST = "lost its journal"
_KEPT_OPEN: list[Any] = []

Identity = tuple[int, int]


def check_file(path: Path) -> None:
    """Refuse what SQLite would take for a new database, change by opening, or not notice.

    The header is read through SQLite, without locks and without the journal. So what another
    process is folding into the file just then looks damaged: only what looks so each time is.

    Raises:
        DataError: The file is truncated, damaged, or of another program.
    """
    size = path.stat().st_size
    if size < HEADER:  # whatever its journal holds: SQLite would throw it away
        raise damaged(path, f"it is {size} bytes long")
    for _ in range(LOOKS):
        journal = _has_journal(path)
        reason = _damage(path)
        if not reason or journal or _has_journal(path):
            return  # with the changes that wait there it may be whole
        time.sleep(LOOK_SECONDS)
    raise damaged(path, reason)


def _damage(path: Path) -> str:
    """What is wrong with a file by itself. Raises DataError where it is of another program."""
    size = path.stat().st_size
    try:
        uri = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            identity, pages, page_size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "page_count", "page_size")
            )
    except sqlite3.OperationalError as error:
        raise DataError(
            f"The annotation database {path} cannot be read: {error}.",
            remedy="Check who may read and write it.",
        ) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise _foreign(path, "is not a database of the studio") from error
        return str(error)
    if identity != APPLICATION_ID:
        raise _foreign(path, "is a database of another program")
    if size < pages * page_size:
        return f"it has {size:,} of {pages * page_size:,} bytes"
    return ""


def refuse_to_start_empty(path: Path) -> None:
    """Refuse to make a new database where labels of a lost one lie.

    Raises:
        DataError: The journal of the lost one, a rescued copy, or one put aside is there.
    """
    journal = _journal(path)
    if journal.exists():
        raise DataError(
            f"{path} is gone but its journal {journal.name} is still there.",
            remedy="Restore the database from a backup, or move the journal away to start anew.",
        )
    copies = [*rescued_copies(path), *sorted(path.parent.glob(f"{path.name}.*{SET_ASIDE}"))]
    if copies:
        raise DataError(
            f"{path} is gone, and a copy of its labels is there: {copies[-1].name}.",
            remedy=f"Put it back with `python -m studio restore {copies[-1]}`, or move it away to "
            "start anew.",
        )


def rescued_copies(path: Path) -> list[Path]:
    """List copies that a studio made when the file was taken away while it ran, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.{RESCUED}*"))


def copy_into(target: sqlite3.Connection, source: sqlite3.Connection) -> tuple[str, int]:
    """Copy a database by SQLite's own interface; return what is wrong with it, and its labels.

    All pages go at once: one consistent look that no writer makes begin anew.
    """
    source.backup(target, pages=-1)
    verdict = target.execute("PRAGMA integrity_check(1)").fetchone()[0]
    labels = target.execute("SELECT count(*) FROM labels").fetchone()[0]
    return "" if verdict == "ok" else verdict, labels


def damaged(path: Path, reason: str) -> DataError:
    """Make the error of a file that is not whole."""
    return DataError(
        f"The annotation database {path} is truncated or damaged: {reason}.",
        remedy="Restore it from a backup; it was left as it is.",
    )


def _foreign(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} {what}.", remedy="Choose another workspace folder, or move that file away."
    )


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _has_journal(path: Path) -> bool:
    """Whether changes wait beside the file, which then need not be complete by itself."""
    journal = _journal(path)
    return journal.exists() and journal.stat().st_size > 0


def identity(path: str | Path) -> Identity | None:
    """Read device and inode of the file at `path`; None when there is none.

    Raises:
        OSError: The disk does not answer.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116 - asked around every commit
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_dev, facts.st_ino


@dataclass(frozen=True)
class Rescue:
    """A copy of what the lost files hold; `problem` says why there is none."""

    path: Path | None = None
    labels: int = 0
    problem: str = ""

    def __str__(self) -> str:
        if self.path is None:
            return (
                f"What it held could not be copied ({self.problem}): leave the studio running, "
                "make room, and it is tried again."
            )
        flaw = f" That copy is not whole: {self.problem}." if self.problem else ""
        return (
            f"What it held, {self.labels:,} labels, is in {self.path}.{flaw} Stop the studio, "
            f"compare, and put the copy back with `python -m studio restore {self.path}`; then "
            "start again."
        )


class OpenFile:
    """A database file and its journal as this process has them open.

    One connection stays open for as long as this object: it keeps the journal in its place, and
    the content within reach when somebody takes the files away. What is on the disk is then
    compared with what was opened.

    Args:
        path: The file.
        connection: A connection to it that nobody else uses, of the driver.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path.absolute()
        self._journal = _journal(self.path.resolve())
        self._names = str(self.path), str(self._journal)
        self._connection = connection
        self._lock = threading.Lock()
        self._rescue, self._rescued_at = Rescue(problem="not tried yet"), 0.0
        self._gone, self._unreachable = "", False
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        self._database_is = identity(self.path)
        self._journal_is = identity(self._journal) if mode == "wal" else None

    def same(self, path: Path) -> bool:
        """Return whether `path` names this file, or another name of it."""
        return path.absolute() == self.path or identity(path) == self._database_is

    @property
    def trouble(self) -> str:
        """What happened to the file, for whoever runs the studio; empty while all is well."""
        return f"{self.path} {self._gone}. {self._rescue}" if self._gone else ""

    def ensure_in_place(self) -> None:
        """Refuse when what is on the disk is not what this process writes into.

        Once refused, always refused: what was written meanwhile is in a file without a name.

        Raises:
            StudioError: The file or its journal was deleted or replaced, or cannot be reached.
        """
        if not self._gone:
            try:
                database, journal = self._names
                if identity(database) == self._database_is and (
                    self._journal_is is None or identity(journal) == self._journal_is
                ):
                    self._unreachable = False
                    return
            except OSError as error:
                if not self._unreachable:  # every open page asks every second
                    logger.exception("The annotation database %s cannot be reached.", self.path)
                self._unreachable = True
                raise StudioError(
                    f"The disk with the labels cannot be reached: {error.strerror}.",
                    remedy="Nothing was saved; try again. Tell the lead if it goes on.",
                    detail=f"The file is {self.path}.",
                ) from error
        self._refuse()

    def _refuse(self) -> None:
        with self._lock:
            self._notice()
        raise StudioError(
            f"The file with the labels {self._gone} while the studio was running.",
            remedy="Nothing is saved until the studio is started again. What you answer stays in "
            "this browser: keep the page open and tell the lead.",
            detail=self.trouble,
        )

    def _notice(self) -> None:
        first = not self._gone
        if first:
            current = identity(self.path)
            lost = JOURNAL_LOST if current == self._database_is else REPLACED
            self._gone = MOVED if current is None else lost
        now = time.monotonic()
        if first or (self._rescue.path is None and now - self._rescued_at > RESCUE_AGAIN):
            self._rescue, self._rescued_at = self._copy(), now
            logger.error("%s", self.trouble)

    def _copy(self) -> Rescue:
        """Copy what the open files hold to where there is room."""
        problem = ""
        for folder in (self.path.parent, Path(tempfile.gettempdir())):
            try:
                return self._copy_to(folder)
            except (OSError, sqlite3.Error) as error:
                logger.exception("The labels could not be rescued into %s.", folder)
                problem = problem or str(error)
        return Rescue(problem=problem)

    def _copy_to(self, folder: Path) -> Rescue:
        # Hidden until it is complete, so that half a copy is never taken for one.
        building = folder / f".{self.path.name}.{os.getpid()}.part"
        building.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(building)) as writing:
                flaw, labels = copy_into(writing, self._connection)
                writing.execute("PRAGMA journal_mode=DELETE")
            when = time.strftime("%Y%m%d-%H%M%S")
            target = folder / f"{self.path.name}.{RESCUED}{when}-{os.getpid()}"
            building.replace(target)
        finally:
            for suffix in ("", "-wal", "-shm"):
                building.with_name(building.name + suffix).unlink(missing_ok=True)
        return Rescue(target, labels, flaw)

    def close(self) -> None:
        """Let go of the file; of one that is lost, never.

        SQLite would fold the journal it has open into a file that others may have changed, and
        delete the journal that has the name now.
        """
        if not self._gone:
            self._connection.close()
            return
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        _KEPT_OPEN.append(self._connection)
