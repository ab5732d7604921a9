"""Opening the annotation database and the two kinds of transaction it knows.

SQLite runs in WAL mode with synchronous=FULL: a commit that returned survives a power cut.
There is one writer at a time; a writer takes the lock when its transaction begins, so what it
reads cannot change before it writes. Readers never wait for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from studio.annotation.writer import Writer
from studio.errors import BusyError, DataError, StudioError
from studio.paths import sqlite_url

REVISION = "0005"
APPLICATION_ID = 0x564C4D53
MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 30
ADVISORY_LOCK = 5641


T = TypeVar("T")


class Database:
    """An open annotation database.

    Raises:
        DataError: The URL is unusable, or the file is truncated, damaged, of another
            program, or made by a newer version. It is never replaced by an empty one.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        path = _sqlite_path(url)
        if path is not None:
            _create_if_absent(path)
            _check_file(path)
        self.engine = _engine(url)
        self._writer = threading.Lock()
        self._work = Writer(self.write)
        with _translating(url):
            if path is not None:
                self._check_integrity(path)
            self._upgrade()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database for as long as the block runs."""
        with _translating(self.url), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction with the write lock held; durable when the block has ended."""
        with self._writer, self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _translating(self.url), self.engine.connect() as connection:
            writing = connection.execution_options(studio_writes=True)
            with writing.begin():
                if writing.dialect.name == "postgresql":
                    writing.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
                yield writing

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """`work` in a transaction, durable once the result is there; see `Writer`."""
        return self._work.submit(work)

    def run(self, work: Callable[[Connection], T]) -> T:
        """`submit`, waited for."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was submitted, then close every connection."""
        self._work.close()
        self.engine.dispose()

    def _check_integrity(self, path: Path) -> None:
        with self.engine.connect() as connection:
            found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if found != "ok":
            raise _damaged(path, f"the integrity check says: {found}")

    def _upgrade(self) -> None:
        with self.engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            found = None
            if "alembic_version" in tables:
                query = text("SELECT version_num FROM alembic_version")
                found = connection.execute(query).scalar()
        if found == REVISION:
            return
        if found is None and tables:
            raise DataError(
                f"The database {_shown(self.url)} holds tables of another program.",
                remedy="Point STUDIO_DATABASE_URL at an empty database.",
            )
        with self.write() as connection:
            migrate(connection, _shown(self.url))


def migrate(connection: Connection, shown: str, revision: str = "head") -> None:
    """Bring the tables to a revision, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise DataError(
            f"The database {shown} was made by a newer version of the studio: {error}.",
            remedy="Update the studio, or choose another workspace.",
        ) from error


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    except ImportError as error:
        raise DataError(
            f"The database URL {_shown(url)} needs a driver that is not installed: {error.name}.",
            remedy='For PostgreSQL: pip install "psycopg[binary]", and a URL that begins with '
            "postgresql+psycopg://.",
            field="STUDIO_DATABASE_URL",
        ) from error
    except ArgumentError as error:
        raise DataError(
            f"The database URL {_shown(url)} cannot be used: {error}.",
            remedy="Use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
            field="STUDIO_DATABASE_URL",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_by_hand(connection, _record) -> None:
    # The driver would begin transactions by itself, too late to hold the write lock.
    connection.isolation_level = None


def _prepare_sqlite(connection, _record) -> None:
    _begin_by_hand(connection, _record)
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("studio_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DataError(
            f"{url!r} is not a database URL.",
            remedy="Use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
            field="STUDIO_DATABASE_URL",
        ) from error
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise DataError(
            "An annotation database in memory would lose every label.",
            remedy="Give a file: sqlite:///FILE.",
            field="STUDIO_DATABASE_URL",
        )
    return Path(parsed.database)


def _create_if_absent(path: Path) -> None:
    """Build a new database under another name, so that `path` is never half of one."""
    if path.exists():
        return
    journal = path.with_name(path.name + "-wal")
    if journal.exists():
        raise DataError(
            f"{path} is gone but its journal {journal.name} is still there.",
            remedy="Restore the database from a backup, or move the journal away to start anew.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    fresh.unlink(missing_ok=True)
    engine = create_engine(sqlite_url(fresh))
    event.listen(engine, "connect", _begin_by_hand)
    event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"PRAGMA application_id={APPLICATION_ID}"))
            migrate(connection, str(fresh))
    finally:
        engine.dispose()
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:
        if not path.exists():
            fresh.rename(path)
    fresh.unlink(missing_ok=True)


def _check_file(path: Path) -> None:
    """Refuse what SQLite would take for a new database, change by opening, or not notice.

    The header is that of https://www.sqlite.org/fileformat.html, section 1.3.
    """
    with path.open("rb") as handle:
        header = handle.read(100)
    if len(header) < 100:
        raise _damaged(path, f"it is {len(header)} bytes long")
    if not header.startswith(b"SQLite format 3\0"):
        raise _foreign(path, "is not a database of the studio")
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise _foreign(path, "is a database of another program")
    size, page = path.stat().st_size, int.from_bytes(header[16:18])
    expected = int.from_bytes(header[28:32]) * (65536 if page == 1 else page)
    if size < expected and not _has_journal(path):
        raise _damaged(path, f"it has {size:,} of {expected:,} bytes")


def _has_journal(path: Path) -> bool:
    """Whether changes wait beside the file, which then need not be complete by itself."""
    journal = path.with_name(path.name + "-wal")
    return journal.exists() and journal.stat().st_size > 0


def _foreign(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} {what}.", remedy="Choose another workspace folder, or move that file away."
    )


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"The annotation database {path} is truncated or damaged: {reason}.",
        remedy="Restore it from a backup; it was left as it is.",
    )


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


@contextmanager
def _translating(url: str) -> Iterator[None]:
    """Say plainly what the driver reports."""
    try:
        yield
    except OperationalError as error:
        said = str(error.orig)
        if "locked" in said or "busy" in said:
            raise BusyError(
                f"The annotation database was in use for more than {BUSY_SECONDS} s.",
                remedy="Nothing was saved; try again.",
            ) from error
        raise StudioError(
            f"The annotation database {_shown(url)} cannot be used: {said}.",
            remedy="Check the free space and the permissions of the workspace; nothing was saved.",
        ) from error
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise DataError(
                f"The annotation database {_shown(url)} is truncated or damaged: {error.orig}.",
                remedy="Restore it from a backup; it was left as it is.",
            ) from error
        raise
