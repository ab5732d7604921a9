"""Opening the annotation database and the two kinds of transaction it knows.

SQLite runs in WAL mode with synchronous=FULL: a commit that returned survives a power cut.
There is one writer at a time; a writer takes the lock when its transaction begins, so what it
reads cannot change before it writes. Readers never wait for it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from studio.annotation.database.group_commit import Writer
from studio.annotation.database.sqlite_file import (
    APPLICATION_ID,
    OpenFile,
    check_file,
    damaged,
    refuse_to_start_empty,
)
from studio.core.errors import BusyError, DataError, StudioError
from studio.core.paths import sqlite_url

logger = logging.getLogger(__name__)
REVISION = "0008"
MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 30
ADVISORY_LOCK = 5641


T = TypeVar("T")


class Database:
    """An open annotation database; all of one process on one file share their connections.

    Raises:
        DataError: The URL is unusable, or the file is truncated, damaged, of another
            program, or made by a newer version. It is never replaced by an empty one.
        StudioError: This process has had the file open since before it was replaced.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._shared = _share(url)
        self._release = weakref.finalize(self, _let_go, self._shared)
        self._release.atexit = False

    @property
    def engine(self) -> Engine:
        return self._shared.engine

    @property
    def _writer(self) -> threading.Lock:
        return self._shared.writing

    @property
    def trouble(self) -> str:
        """What happened to the file, for whoever runs the studio; empty while all is well."""
        with suppress(StudioError):
            self._shared.ensure_in_place()
        return self._shared.file.trouble if self._shared.file else ""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a consistent view of the database for as long as the block runs."""
        with self._use().reading() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction with the write lock held; it is durable when the block has ended."""
        with self._use().write() as connection:
            yield connection

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Do `work` in a transaction; it is durable once the result is there. See `Writer`."""
        return self._use().work.submit(work)

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work` as `submit` does, and wait for its result."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was submitted; the last to close ends every connection."""
        if self._release.alive and self._shared.pid == os.getpid():
            self._shared.work.finish()
        self._release()

    def _use(self) -> _Shared:
        if not self._release.alive:
            raise StudioError(
                "The annotation database was closed.", remedy="Start the studio again."
            )
        if self._shared.pid != os.getpid():
            raise _forked()
        return self._shared


class _Shared:
    """The connections of this process to one database; `users` are the open `Database` objects."""

    def __init__(self, url: str, path: Path | None) -> None:
        self.url, self.users, self.pid = url, 0, os.getpid()
        self.file: OpenFile | None = None
        self.writing = threading.Lock()
        self.work = Writer(self.write)
        if path is not None:
            _create_if_absent(path)
            check_file(path)
        self.engine = _engine(url)
        try:
            self._prepare(path)
        except BaseException:
            self.close()
            raise

    def _prepare(self, path: Path | None) -> None:
        with _translating(self.url):
            if path is not None:
                self._check_integrity(path)
                self.file = OpenFile(path, self._apart())
            self._upgrade()

    def _apart(self) -> sqlite3.Connection:
        """A connection that does not go back to the others."""
        lent = self.engine.raw_connection()
        connection: Any = lent.driver_connection
        lent.detach()
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self.ensure_in_place()
        with _translating(self.url), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.writing, self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self.ensure_in_place()
        with _translating(self.url), self.engine.connect() as connection:
            writing = connection.execution_options(studio_writes=True)
            with writing.begin():
                if writing.dialect.name == "postgresql":
                    writing.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
                yield writing
        self.ensure_in_place()  # before anybody is told that it is saved

    def ensure_in_place(self) -> None:
        """Refuse when the file is not the one that was opened. Raises StudioError."""
        if self.file is not None:
            self.file.ensure_in_place()

    def close(self) -> None:
        """End every connection."""
        self.work.close()
        self.engine.dispose()
        if self.file is not None:
            self.file.close()

    def _check_integrity(self, path: Path) -> None:
        with self.engine.connect() as connection:
            verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if verdict != "ok":
            raise damaged(path, f"the integrity check says: {verdict}")

    def _upgrade(self) -> None:
        with self.engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            revision = None
            if "alembic_version" in tables:
                query = text("SELECT version_num FROM alembic_version")
                revision = connection.execute(query).scalar()
        if revision == REVISION:
            return
        if revision is None and tables:
            raise DataError(
                f"The database {_shown(self.url)} holds tables of another program.",
                remedy="Point STUDIO_DATABASE_URL at an empty database.",
            )
        with self.write() as connection:
            migrate(connection, _shown(self.url))


class _Registry:
    """What this process has open: one `_Shared` for each file."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.opened: list[_Shared] = []
        self.inherited: list[_Shared] = []

    def find(self, path: Path) -> _Shared | None:
        if any(other.file.same(path) for other in self.inherited if other.file):
            raise _forked()
        return next(
            (shared for shared in self.opened if shared.file and shared.file.same(path)), None
        )

    def forget(self) -> None:
        """Leave the parent's connections alone after a fork: they are neither used nor closed here."""
        self.lock = threading.RLock()
        self.inherited += self.opened
        self.opened = []


_REGISTRY = _Registry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_REGISTRY.forget)


def _share(url: str) -> _Shared:
    """What is open of the database, opened if nothing is."""
    path = _sqlite_path(url)
    with _REGISTRY.lock:
        shared = _REGISTRY.find(path) if path else None
        if shared is None:
            shared = _Shared(url, path)
            _REGISTRY.opened.append(shared)
        else:
            shared.ensure_in_place()
        shared.users += 1
        return shared


def _let_go(shared: _Shared) -> None:
    if shared.pid != os.getpid():
        return
    with _REGISTRY.lock:
        shared.users -= 1
        if shared.users == 0:
            _REGISTRY.opened.remove(shared)
            shared.close()


def ensure_in_place(path: Path) -> None:
    """Refuse to use what has the name of a file that this process has open and has lost.

    Raises:
        StudioError: It was deleted or replaced since it was opened.
    """
    with _REGISTRY.lock:
        shared = _REGISTRY.find(path)
    if shared is not None:
        shared.ensure_in_place()


def _forked() -> StudioError:
    return StudioError(
        "The annotation database is open in the process that this one was forked from.",
        remedy="Start the process anew (spawn, or subprocess) instead of forking it.",
    )


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
    refuse_to_start_empty(path)
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
    # A link never replaces: of two processes that begin at once, the second takes the first's file.
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    except OSError:
        if not path.exists():
            fresh.rename(path)
    fresh.unlink(missing_ok=True)


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


@contextmanager
def _translating(url: str) -> Iterator[None]:
    """Say plainly what the driver reports; where the file is and the traceback go to the log."""
    try:
        yield
    except PoolTimeout as error:
        raise _logged(_busy("There were too many requests at once"), url) from error
    except OperationalError as error:
        reason = str(error.orig)
        if "locked" in reason or "busy" in reason:
            long = f"The annotation database was in use for more than {BUSY_SECONDS} s"
            raise _logged(_busy(long), url) from error
        failed = StudioError(
            f"The annotation database cannot be used: {reason}.",
            remedy="Check the free space and the permissions of the workspace; nothing was saved.",
            detail=f"It is {_shown(url)}.",
        )
        raise _logged(failed, url) from error
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            failed = DataError(
                f"The annotation database is truncated or damaged: {error.orig}.",
                remedy="Restore it from a backup; it was left as it is.",
                detail=f"It is {_shown(url)}.",
            )
            raise _logged(failed, url) from error
        raise


def _busy(what: str) -> BusyError:
    return BusyError(f"{what}.", remedy="Nothing was saved; try again.")


def _logged(error: StudioError, url: str) -> StudioError:
    """`error`, with what the driver raised in the log."""
    logger.exception("%s (%s)", error.message, _shown(url))
    return error
