"""Decisions about runs are kept, and fold into what the next round starts from."""

import errno
import os

import pytest

from studio.config import RunConfig
from studio.core.errors import ConflictError, InputError, RunFailedError
from studio.core.paths import Workspace, write_json
from studio.runs.checkpoints import MARKER
from studio.runs.decisions import (
    LONGEST_REASON,
    accepted_run,
    decide,
    decisions,
    latest,
)
from studio.runs.status import update_status
from studio.runs.store import RunStore


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


def ended_run(workspace, name="run", state="finished", weights=True):
    store = RunStore(workspace)
    run = store.create(RunConfig(name=name))
    update_status(run.paths, state=state)
    if weights:
        write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 10})
    return store.get(run.run_id)


def test_the_last_accepted_run_is_what_the_next_round_starts_from(workspace):
    first, second = ended_run(workspace, "first"), ended_run(workspace, "second")
    model = first.config.model.id
    assert accepted_run(workspace, model) is None
    decide(workspace, first, "accepted", "better on charts", who="ada", figures=["0 % → 99 %"])
    decide(workspace, second, "accepted", "and on tables")
    assert accepted_run(workspace, model).run == second.run_id
    decide(workspace, second, "rolled back", "it forgot how to count")
    found = accepted_run(workspace, model)
    assert (found.run, found.who, found.figures) == (first.run_id, "ada", ("0 % → 99 %",))
    assert accepted_run(workspace, "another/model") is None
    assert [one.verdict for one in decisions(workspace)] == ["accepted", "accepted", "rolled back"]


def test_a_decision_needs_a_reason_an_end_and_weights(workspace):
    run = ended_run(workspace)
    for reason in ("", "  \n", "x" * (LONGEST_REASON + 1)):
        with pytest.raises(InputError) as caught:
            decide(workspace, run, "accepted", reason)
        assert caught.value.field == "reason"
    going = ended_run(workspace, state="running")
    with pytest.raises(ConflictError, match="running"):
        decide(workspace, going, "rolled back", "why not")
    empty = ended_run(workspace, state="failed", weights=False)
    with pytest.raises(ConflictError, match="no complete weights"):
        decide(workspace, empty, "accepted", "why not")
    decide(workspace, empty, "rolled back", "it diverged")
    assert [one.run for one in decisions(workspace)] == [empty.run_id]


def test_two_pages_that_decide_alike_leave_one_decision(workspace):
    run = ended_run(workspace)
    decide(workspace, run, "accepted", "better")
    with pytest.raises(ConflictError, match="accepted already"):
        decide(workspace, run, "accepted", "much better")
    assert len(decisions(workspace)) == 1


def test_an_accepted_run_is_not_deleted_until_it_is_rolled_back(workspace):
    run = ended_run(workspace)
    decide(workspace, run, "accepted", "better", who="ada")
    with pytest.raises(ConflictError, match="accepted by ada"):
        RunStore(workspace).delete(run.run_id)
    decide(workspace, run, "rolled back", "worse after all")
    RunStore(workspace).delete(run.run_id)
    assert latest(workspace, run.run_id).reason == "worse after all"


def test_a_torn_line_costs_itself_only(workspace):
    run = ended_run(workspace)
    decide(workspace, run, "accepted", "better")
    with workspace.decisions.open("ab") as handle:
        handle.write(b'{"run": "torn')
    decide(workspace, run, "rolled back", "worse")
    assert [one.verdict for one in decisions(workspace)] == ["accepted", "rolled back"]


def test_a_full_disk_is_said_and_decides_nothing(workspace, monkeypatch):
    run = ended_run(workspace)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailedError, match=r"cannot be written.*No space left"):
        decide(workspace, run, "rolled back", "worse")
