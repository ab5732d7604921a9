"""Imports appear all at once or not at all, whatever happens to the process."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from studio.annotation import AnnotationStore, ItemFilter
from studio.annotation.library.import_rows import CHUNK
from studio.core.errors import BusyError
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row, make_rows
from tests.places import ROOT

TABLES = ("items", "candidates", "pairs", "datasets", "import_batches")


def rows_in(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as connection:
        found = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }
    connection.close()
    return found


def rows_of(store) -> dict[str, int]:
    with store._database.read() as connection:
        counts = {table: text(f"SELECT count(*) FROM {table}") for table in TABLES}
        return {table: connection.execute(count).scalar() for table, count in counts.items()}


def test_nothing_is_seen_or_claimed_before_the_end(store):
    with store.importing("charts") as batch:
        batch.add_rows(make_rows(2 * CHUNK + 5))
        assert batch.report.added == 2 * CHUNK and batch.rows == 2 * CHUNK + 5
        assert store.datasets() == [] and store.count() == 0 and store.browse() == []
        assert store.claim("ana") is None and store.progress().total == 0
        assert store.count(ItemFilter(search="bar")) == 0
    assert batch.report.added == store.count() == 2 * CHUNK + 5
    assert store.datasets()[0].waiting == 2 * CHUNK + 5


def test_new_answers_of_known_rows_appear_with_the_rest(store):
    store.add_rows("charts", make_rows(3))
    more = [
        make_row(n, candidates=(*make_row(n).candidates, Answer(f"emerald {n}"))) for n in range(3)
    ]
    with store.importing("charts") as batch:
        batch.add_rows([*more, *make_rows(CHUNK + 3)[3:]])
        assert all(len(item.candidates) == 2 for item in store.browse())
        assert store.count() == 3
    assert batch.report.extended == 3 and batch.report.added == CHUNK
    assert len(store.browse()[0].candidates) == 3
    assert store.count(ItemFilter(search="emerald")) == 3


def test_a_choice_the_source_adds_later_appears_with_the_rest(store):
    store.add_rows("charts", [make_row(1)])
    one, two = make_row(1).candidates
    with store.importing("charts") as batch:
        batch.add_rows(
            [make_row(1, candidates=(), chosen=two, rejected=one), *make_rows(CHUNK)[2:]]
        )
        assert store.browse()[0].pairs[0].source_choice_id is None
    (pair,) = store.browse()[0].pairs
    assert pair.source_choice_id == store.browse()[0].candidates[1].id
    assert batch.report.extended == 1


def test_the_same_id_twice_is_one_row(store):
    with store.importing("charts") as batch:
        batch.add_rows([make_row(1), make_row(1), make_row(2)])
    assert (batch.report.added, batch.report.unchanged) == (2, 1)


def test_annotators_save_while_an_import_runs(store):
    store.add_rows("charts", make_rows(30))
    importer = threading.Thread(target=store.add_rows, args=("more", make_rows(2 * CHUNK + 1)))
    importer.start()
    saved = 0
    while saved < 20 or (importer.is_alive() and saved < 30):
        store.save(answer(store.claim("ana", "charts"), "ana"))
        saved += 1
    importer.join()
    assert store.progress("ana").labelled == saved
    assert store.count(ItemFilter(dataset="more")) == 2 * CHUNK + 1


def test_a_failed_import_leaves_nothing_behind(store):
    store.add_rows("charts", make_rows(2))
    before = rows_of(store)
    for name in ("charts", "other"):
        with pytest.raises(ValueError, match="no more"), store.importing(name) as batch:
            batch.add_rows(make_rows(CHUNK + 7))
            raise ValueError("no more")
    assert rows_of(store) == before
    assert store.count(ItemFilter(search="bar")) == 2


def test_two_imports_into_one_dataset_take_turns(store):
    with store.importing("charts") as batch:
        batch.add(make_row(1))
        with pytest.raises(BusyError, match="Another import"), store.importing("charts"):
            pass
        with store.importing("other") as second:
            second.add(make_row(2))
    assert store.count() == 2


IMPORTER = """
import sys
sys.path.insert(0, sys.argv[2])
from studio.annotation import AnnotationStore
from tests.annotation.conftest import make_row
store = AnnotationStore(sys.argv[1])
with store.importing("charts") as batch:
    for number in range(100_000):
        batch.add(make_row(number))
        if batch.report.added >= 400:
            print("half way", flush=True)
            sys.stdin.read()
"""


def test_what_a_killed_import_left_is_never_seen_and_removed_by_the_next(url, tmp_path):
    store = AnnotationStore(url)
    store.add_rows("kept", make_rows(3))
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTER, url, str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == "half way"
    assert rows_in(tmp_path / "studio.db")["items"] == 403
    with pytest.raises(BusyError):
        store.add_rows("charts", make_rows(1))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [dataset.name for dataset in store.datasets()] == ["kept"] and store.count() == 3
    assert store.add_rows("charts", make_rows(5)).added == 5
    found = rows_in(tmp_path / "studio.db")
    assert (found["items"], found["candidates"], found["pairs"]) == (8, 16, 8)
    store.close()
