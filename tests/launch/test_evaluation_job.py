"""Evaluations as children of the studio: started in turn, stopped, gone on with, explained."""

from __future__ import annotations

import os
import signal
import time

import pytest

from studio.core.errors import ConflictError, InputError
from studio.core.paths import EMBEDDED, Workspace
from studio.evaluation.evaluation_request import Wanted
from studio.evaluation.evaluation_store import EvaluationStore, update_status
from studio.launch import evaluation_job
from studio.launch.evaluation_job import EvaluationJobs
from tests.evaluation.answered_evaluations import answered, question

WANTED = Wanted(EMBEDDED, metrics=("words",), data="embedded:heldout", max_new_tokens=8)


@pytest.fixture
def jobs(tmp_path):
    made = EvaluationJobs(Workspace.locate(tmp_path / "workspace"))
    yield made
    for child in made._children.values():
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@pytest.fixture
def sleeping(monkeypatch):
    """Children that say that they compute, and sleep."""
    script = (
        "import sys, time; from pathlib import Path; from studio.core.paths import EvaluationPaths;"
        "from studio.evaluation.evaluation_store import began;"
        "began(EvaluationPaths(Path(sys.argv[-1])), total=4); time.sleep(600)"
    )
    monkeypatch.setattr(evaluation_job, "EVALUATOR", ("-c", script))


def wait_for(jobs, evaluation_id, *states):
    for _ in range(12_000):
        jobs.step(True)
        found = jobs.state(evaluation_id)
        if found.status.state in states:
            return found
        time.sleep(0.02)
    raise AssertionError(jobs.store.paths(found).log.read_text())


def test_a_job_computes_in_a_process_of_its_own(jobs, forked):
    name = jobs.start(WANTED, limit=2)
    assert jobs.state(name).status.state == "queued" and not jobs.busy
    found = wait_for(jobs, name, "finished", "failed")
    assert found.status.state == "finished", jobs.store.paths(found).log.read_text()
    assert found.results["base"].metrics["words"].rows == 2
    assert found.status.pid != os.getpid()


def test_it_waits_while_the_device_is_taken(jobs, sleeping):
    name = jobs.start(WANTED, limit=2)
    jobs.step(False)
    assert not jobs.busy and jobs.state(name).status.state == "queued"


def test_one_at_a_time_the_oldest_first(jobs, sleeping):
    first = jobs.start(WANTED, limit=2)
    time.sleep(1.1)  # ids and so the order are of whole seconds
    second = jobs.start(WANTED, limit=2)
    wait_for(jobs, first, "running")
    jobs.step(True)
    assert jobs.state(second).status.state == "queued"
    jobs.stop(second)
    assert jobs.state(second).status.state == "stopped"
    jobs.resume(second)
    assert jobs.state(second).status.state == "queued"
    with pytest.raises(ConflictError, match="is running"):
        jobs.resume(first)


def test_a_killed_child_is_explained_and_can_go_on(jobs, sleeping):
    name = jobs.start(WANTED, limit=2)
    running = wait_for(jobs, name, "running")
    os.kill(running.status.pid, signal.SIGKILL)
    failed = wait_for(jobs, name, "failed")
    assert "memory ran out" in failed.status.message and "--resume" in failed.status.remedy
    jobs.resume(name)
    assert jobs.state(name).status.state == "queued"


def test_a_child_that_cannot_begin_is_explained_once(jobs, monkeypatch):
    monkeypatch.setattr(evaluation_job, "EVALUATOR", ("-c", "raise SystemExit(3)"))
    name = jobs.start(WANTED, limit=2)
    failed = wait_for(jobs, name, "failed")
    assert "exit code 3" in failed.status.message and "log.txt" in failed.status.remedy
    jobs.step(True)
    assert not jobs.busy  # it is not started again by itself


def test_what_cannot_be_computed_is_not_even_queued(jobs):
    with pytest.raises(InputError, match="no metric"):
        jobs.start(Wanted(EMBEDDED, metrics=("nope",), data="embedded:heldout"))
    assert jobs.store.ids() == []


def test_a_stopped_child_keeps_its_answers(jobs, forked):
    name = jobs.start(Wanted(EMBEDDED, metrics=("words",), data="embedded:heldout", batch_size=1))
    for _ in range(12_000):
        jobs.step(True)
        if jobs.state(name).status.done:
            break
        time.sleep(0.01)
    jobs.stop(name)
    stopped = wait_for(jobs, name, "stopped", "failed", "finished")
    assert stopped.status.state == "stopped" and 0 < stopped.status.done < 300
    assert "--resume" in stopped.status.remedy or not stopped.status.message


def test_a_studio_leaves_what_a_command_computes_to_the_command(tmp_path, monkeypatch):
    workspace = Workspace.locate(tmp_path)
    jobs = EvaluationJobs(workspace)
    launched = []
    monkeypatch.setattr(jobs, "_launch", lambda name, *_: launched.append(name))
    made = answered(workspace, {"base": ["a"]}, ended=False)
    request, rows = made.request, [question(0)]
    EvaluationStore(workspace).delete(made.evaluation_id)
    held = EvaluationStore(workspace).create(request, rows, here=True)
    jobs.step(device_is_free=True)
    assert launched == [] and held.status.state == "running"
    update_status(workspace.evaluation(held.evaluation_id), pid=2**22 + 1)  # the command was killed
    jobs.step(device_is_free=True)
    assert launched == [] and jobs.state(held.evaluation_id).status.state == "stopped"
    waits = EvaluationStore(workspace).create(request, rows)
    jobs.step(device_is_free=True)
    assert launched == [waits.evaluation_id]
