"""The thread that writes: waiting work shares one commit, and refused work leaves the others."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import wait

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from studio.annotation.database.connection import Database
from studio.annotation.database.group_commit import Writer
from studio.core.errors import ConflictError, StudioError

COUNT = text("SELECT count(*) FROM annotators")


def test_a_refusal_carries_no_trace_of_the_first_attempt():
    engine = create_engine("sqlite://")

    def work(connection):
        connection.execute(text("SELECT 1"))
        raise ConflictError("You answered this pair elsewhere.")

    writer = Writer(engine.begin)
    with pytest.raises(ConflictError) as caught:
        writer.submit(work).result()
    writer.close()
    told = "".join(traceback.format_exception(caught.value))
    assert told.count("Traceback") == 1 and "_Refused" not in told


@pytest.fixture
def database(url):
    opened = Database(url)
    yield opened
    opened.close()


def add(name: str):
    def work(connection):
        values = {"name": name}
        connection.execute(
            text("INSERT INTO annotators (name, created_at) VALUES (:name, 0)"), values
        )
        if name == "refused":
            raise ConflictError("no")
        if name == "failing":
            raise OperationalError("", {}, Exception("disk I/O error"))
        return name

    return work


def together(database, names: list[str]) -> list[object]:
    """Run all of them in one batch; what each gave or raised."""
    with database._writer:
        before = database.submit(lambda _connection: None)
        while not before.running():
            threading.Event().wait(0.005)
        asked = [database.submit(add(name)) for name in names]
    wait(asked)
    return [one.exception() or one.result() for one in asked]


def stored(database) -> int:
    with database.read() as connection:
        return connection.execute(COUNT).scalar_one()


def test_everybody_gets_their_own_result_from_one_commit(database):
    names = [f"person-{number}" for number in range(8)]
    assert together(database, names) == names
    assert stored(database) == 8


def test_refused_work_leaves_nothing_and_the_others_stand(database):
    found = together(database, ["ana", "refused", "ben"])
    assert [found[0], found[2]] == ["ana", "ben"]
    assert isinstance(found[1], ConflictError)
    assert stored(database) == 2


def test_a_value_that_the_database_refuses_is_the_fault_of_one(database):
    found = together(database, ["ana", "ana", "ben"])
    assert [found[0], found[2]] == ["ana", "ben"]
    assert isinstance(found[1], IntegrityError)
    assert stored(database) == 2


def test_a_failing_database_fails_all_and_nobody_is_told_it_was_saved(database):
    found = together(database, ["ana", "failing", "ben"])
    assert all(isinstance(one, StudioError) for one in found)
    assert stored(database) == 0
    assert database.run(add("ana")) == "ana"
