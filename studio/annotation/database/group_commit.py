"""The thread that writes: work that waits while a commit goes to the disk shares the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from studio.core.errors import StudioError

T = TypeVar("T")
END_SECONDS = 60.0
OF_ONE = (DataError, IntegrityError)
"""What the database reports of a value that one piece of work gave it; the others are sound."""


class _Job:
    """Work waiting for the write lock, and what became of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.future: Future = Future()
        self.value: Any = None
        self.error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """Do it. Raises what the work raises, and that leaves the transaction half done."""
        self.value = self.work(connection)

    def run_apart(self, connection: Connection) -> None:
        """Do it in a savepoint. Raises only what the database reports of itself."""
        try:
            with connection.begin_nested():
                self.value = self.work(connection)
        except OF_ONE as error:
            self.error = error
        except SQLAlchemyError as error:
            raise _first(error) from None
        except Exception as error:  # noqa: BLE001 - raised again for whoever asked
            self.error = error

    def tell(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class _Refused(Exception):
    """One of several pieces of work was refused: the transaction has to be begun again."""


def _first(error: SQLAlchemyError) -> SQLAlchemyError:
    """What went wrong before the savepoint was lost: a full disk ends the whole transaction."""
    before: BaseException | None = error
    while before is not None:
        error = before if isinstance(before, SQLAlchemyError) else error
        before = before.__context__
    return error


class Writer:
    """Does submitted work, in the order it came.

    Writing a commit to the disk takes longer than what is written, so the waiting work of all is
    done in one transaction. When a piece is refused, it is done again with each piece in a
    savepoint of its own, which leaves the others; so work must depend on nothing but the database.
    A failing database fails all of them, and none is saved.

    Args:
        transaction: Begins one with the write lock held; durable when its block has ended.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue `work`; its result is durable once it is there."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
                self._thread.start()
        job = _Job(work)
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Finish what was submitted."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            if thread is not threading.current_thread():
                thread.join(END_SECONDS)

    def finish(self) -> None:
        """Wait for what was submitted so far; more may come."""
        if self._thread is not None:
            wait([self.submit(lambda _connection: None)], END_SECONDS)

    def _run(self) -> None:
        while self._round():
            pass  # what was done is let go of before the next is waited for

    def _round(self) -> bool:
        """Do what waits; whether there may be more."""
        waiting = [self._jobs.get(), *self._more()]
        jobs = [job for job in waiting if job and job.future.set_running_or_notify_cancel()]
        if jobs:
            self._together(jobs)
        return None not in waiting

    def _more(self) -> list[_Job | None]:
        jobs = []
        try:
            while True:
                jobs.append(self._jobs.get_nowait())
        except Empty:
            return jobs

    def _together(self, jobs: list[_Job]) -> None:
        try:
            if not self._at_once(jobs):
                with self._transaction() as connection:
                    for job in jobs:
                        job.run_apart(connection)
        except (StudioError, SQLAlchemyError) as error:
            for job in jobs:
                job.error = error
        for job in jobs:
            job.tell()

    def _at_once(self, jobs: list[_Job]) -> bool:
        """Without savepoints: nearly always, nothing is refused. Whether it was so.

        What a piece was refused for is raised when it is done again, with nothing before it.
        """
        try:
            with self._transaction() as connection:
                for job in jobs:
                    self._attempt(job, connection)
        except _Refused:
            return False
        return True

    def _attempt(self, job: _Job, connection: Connection) -> None:
        try:
            job.run(connection)
        except OF_ONE as error:
            raise _Refused from error
        except SQLAlchemyError:
            raise
        except Exception as error:
            raise _Refused from error
