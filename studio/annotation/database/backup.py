"""A copy of the annotation database while people go on labelling, and the way back.

A backup is a whole SQLite database, taken through SQLite's own backup interface: consistent, and
checked before it gets its name. PostgreSQL has `pg_dump`, which is what is said about it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

from studio.annotation.database.connection import Database, ensure_in_place
from studio.annotation.database.sqlite_file import SET_ASIDE, copy_into
from studio.annotation.quality import audit_log
from studio.core.errors import ConflictError, DataError, InputError, NotFoundError, RunFailedError
from studio.core.paths import sqlite_url


@dataclass(frozen=True)
class Backup:
    """A finished copy."""

    path: Path
    labels: int
    bytes: int


def back_up(url: str, target: Path) -> Backup:
    """Copy the database to `target`, which must not be there yet.

    Raises:
        ConflictError: `target` exists.
        InputError: The database is not SQLite.
        NotFoundError: There is no database.
        RunFailedError: The disk is full, or nothing may be written there.
        StudioError: The file is not the one that this process has open.
    """
    source = _file(url)
    ensure_in_place(source)
    if not source.exists():
        raise NotFoundError(f"There is no database {source}.", remedy="Check the workspace.")
    if target.exists():
        raise _taken(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        building = target.with_name(f".{target.name}.{os.getpid()}.part")
        building.unlink(missing_ok=True)
        try:
            labels = _copy(source, building)
            _name(building, target)
        finally:
            building.unlink(missing_ok=True)
        return Backup(target, labels, target.stat().st_size)
    except OSError as error:
        raise RunFailedError(
            f"The backup {target} cannot be written: {error.strerror}.",
            remedy="Choose another place, or free some space.",
        ) from error


def _name(building: Path, target: Path) -> None:
    """Give a finished file its name, unless something else has it by now."""
    try:
        os.link(building, target)
    except OSError as error:
        if target.exists():
            raise _taken(target) from error
        building.rename(target)  # some disks have no links


def _taken(target: Path) -> ConflictError:
    return ConflictError(f"{target} exists already.", remedy="Choose another file.")


def restore(url: str, backup: Path) -> Path | None:
    """Put a backup in the database's place; returns where the one that was there is kept now.

    Nobody may be using the database.

    Raises:
        DataError: The backup is damaged or of another program; nothing was changed.
        ConflictError: The database is in use.
    """
    database = _file(url)
    if not backup.exists():
        raise NotFoundError(f"There is no backup {backup}.", remedy="Check the path.")
    database.parent.mkdir(parents=True, exist_ok=True)
    building = database.with_name(f".{database.name}.{os.getpid()}.restored")
    building.unlink(missing_ok=True)
    try:
        _copy(backup, building)
        _note(sqlite_url(building), backup.name)
        kept = _keep(database)
        building.replace(database)
    finally:
        for name in (building.name, f"{building.name}-wal", f"{building.name}-shm"):
            building.with_name(name).unlink(missing_ok=True)
    return kept


def _note(url: str, name: str) -> None:
    """Bring the tables up to date, and say in the log that this is a copy put back."""
    database = Database(url)
    try:
        with database.write() as connection:
            audit_log.note(connection, "", "restored", "", {"from": name}, time.time())
    finally:
        database.close()


def _copy(source: Path, target: Path) -> int:
    """Copy and check; the number of labels in the copy."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            flaw, labels = copy_into(writing, reading)
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"{source} cannot be copied: {error}.", remedy="Use another backup."
        ) from error
    if flaw:
        raise DataError(f"The copy of {source} is damaged: {flaw}.", remedy="Check the disk.")
    return labels


def _keep(place: Path) -> Path | None:
    """Fold the journal into the database and give it a second name, under which it stays.

    The first name is never without a file: a studio started meanwhile would begin an empty one.
    """
    if not place.exists():
        return None
    try:
        with closing(sqlite3.connect(place, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise ConflictError(
            f"{place} is in use: {error}.", remedy="Stop the studio, then restore again."
        ) from error
    except sqlite3.DatabaseError:
        pass  # A damaged database is why one restores; it is kept as it is.
    kept = place.with_name(f"{place.name}.{time.strftime('%Y%m%d-%H%M%S')}{SET_ASIDE}")
    try:
        os.link(place, kept)
    except OSError:  # some disks have no links
        place.rename(kept)
    for suffix in ("-wal", "-shm"):
        journal = place.with_name(place.name + suffix)
        if journal.exists():
            journal.rename(kept.with_name(kept.name + suffix))
    return kept


def _file(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise InputError(
            "A PostgreSQL database is backed up by its own tools.",
            remedy="Use pg_dump and pg_restore.",
            field="STUDIO_DATABASE_URL",
        )
    return Path(parsed.database or "")
