"""What a reader of runs keeps in memory: of the runs there are, and of few of them the curves."""

from __future__ import annotations

import shutil

import pytest

from studio.config import RunConfig
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.ui.runs import state
from studio.ui.runs.state import RunReader, ago, current, epochs_of


def made(tmp_path, number):
    store = RunStore(Workspace.locate(tmp_path / "workspace"))
    runs = [store.create(RunConfig(name=f"run-{n}"), state="stopped") for n in range(number)]
    return RunReader(store), runs


def test_what_was_read_of_a_run_goes_with_it(tmp_path):
    reader, (first, second) = made(tmp_path, 2)
    for run in (first, second):
        reader.diary(run)
        reader.config(run)
    assert len(reader.list()) == 2
    shutil.rmtree(first.paths.root)
    reader.list()
    for read in (reader._statuses, reader._configs, reader._diaries):
        assert set(read) == {second.run_id}


def test_only_the_curves_looked_at_lately_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "MOST_DIARIES", 2)
    reader, (one, two, three) = made(tmp_path, 3)
    kept = reader.diary(one)
    reader.diary(two)
    assert reader.diary(one) is kept
    reader.diary(three)
    assert list(reader._diaries) == [one.run_id, three.run_id]


@pytest.mark.parametrize("typed", [None, "", " ", "x", "-1", "nan", "inf", "1e999"])
def test_what_is_no_number_of_epochs_is_refused(typed):
    with pytest.raises(InputError):
        epochs_of(typed)


def test_header_shows_the_run_going_on(tab, run):
    assert current(RunReader(tab.context.runs).list()).run.run_id == run.run_id
    update_status(run.paths, state="finished")
    assert current(RunReader(tab.context.runs).list()) is None


def test_times_in_words():
    assert ago(1000, 1030) == "just now"
    assert ago(1000, 1000 + 600) == "10 min ago"
    assert ago(1000, 1000 + 7300) == "2 h ago"
