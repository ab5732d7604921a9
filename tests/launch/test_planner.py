"""The planner as the studio sees it: how far it is, and trials that can be stopped."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.config import RunConfig
from studio.core.child_client import PipeWorker
from studio.core.errors import ModelError, RunFailedError, StoppedError
from studio.core.paths import Workspace
from studio.launch import planner as service
from studio.launch.planner import Planner
from studio.runs.run_plan import Plan
from studio.training.planning import dry_step as measuring
from studio.training.planning.dry_step import Measured, measure

SLOW = Path(__file__).with_name("slow_planner.py")
WAIT = 20


@pytest.fixture
def planner(tmp_path):
    made = Planner(Workspace.locate(tmp_path))
    made._child = PipeWorker([], tmp_path / "log", command=[sys.executable, str(SLOW)])
    yield made
    made.close()


def until(condition):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_planner_that_starts_tells_its_stages_and_then_is_ready(planner):
    assert not planner.ready and planner.loading is None
    planner.warm()
    planner.warm()
    assert planner.loading.stage == "Python"
    seen = {until(lambda: planner.loading).stage}
    while (loading := planner.loading) is not None:
        assert 0 <= loading.seconds < WAIT
        seen.add(loading.stage)
    assert {"PyTorch", "TRL"} <= seen and planner.ready


@pytest.mark.parametrize(("free", "started"), [(2**40, True), (2**30, False)])
def test_it_starts_by_itself_only_where_memory_is_free(planner, monkeypatch, free, started):
    monkeypatch.setattr(service, "SETTLED_SECONDS", 0)
    seen = threading.Event()
    memory = SimpleNamespace(available=free)
    monkeypatch.setattr(service.psutil, "virtual_memory", lambda: seen.set() or memory)
    planner.warm_soon()
    assert seen.wait(WAIT)
    if started:
        until(lambda: planner.ready)
    else:
        time.sleep(0.1)
        assert planner.loading is None and planner._child.pid == 0


def test_a_search_is_stopped_in_its_child(planner):
    stopped = threading.Event()
    threading.Timer(0.3, stopped.set).start()
    with pytest.raises(StoppedError, match="no batch size"):
        planner.find_batch(RunConfig(), None, stopped)
    assert not planner._measuring.locked()


def test_a_dry_step_that_waits_for_another_is_stopped_too(planner, monkeypatch):
    monkeypatch.setattr(service, "measure", lambda *_: Measured(1, 1.0))
    assert planner.measure(RunConfig()) == Measured(1, 1.0)
    stopped = threading.Event()
    stopped.set()
    with planner._measuring, pytest.raises(StoppedError, match="waited"):
        planner.measure(RunConfig(), stopped)


def process_of(monkeypatch, program):
    """Lets dry steps be `program`; the processes that were started."""
    started, plain = [], subprocess.Popen

    def start(_, **options):
        started.append(plain([sys.executable, "-c", program], **options))
        return started[-1]

    monkeypatch.setattr(measuring.subprocess, "Popen", start)
    return started


def test_a_stopped_dry_step_leaves_no_process(tmp_path, monkeypatch):
    started = process_of(monkeypatch, "import time; time.sleep(60)")
    stopped = threading.Event()
    threading.Timer(0.2, stopped.set).start()
    began = time.monotonic()
    with pytest.raises(StoppedError, match="nothing was measured"):
        measure(RunConfig(), Workspace.locate(tmp_path), stopped)
    assert time.monotonic() - began < WAIT and started[0].poll() is not None


def test_a_dry_step_killed_by_the_system_ran_out_of_memory(tmp_path, monkeypatch):
    process_of(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert measure(RunConfig(), Workspace.locate(tmp_path)) == Measured(None, None)


def test_a_dry_step_that_dies_says_its_last_words(tmp_path, monkeypatch):
    process_of(monkeypatch, "raise SystemExit('no such driver')")
    with pytest.raises(RunFailedError, match=r"exit code 1.*no such driver"):
        measure(RunConfig(), Workspace.locate(tmp_path))


@pytest.mark.usefixtures("forked")
def test_the_real_child_plans_and_refuses_by_field(tmp_path):
    planner = Planner(Workspace.locate(tmp_path))
    values = RunConfig().model_dump() | {"data": {"train": "train[:8]"}}
    try:
        plan = planner.plan(RunConfig.model_validate(values))
        assert isinstance(plan, Plan) and plan.memory.total > 0 and planner.ready
        values["adapter"]["targets"] = ["no_such_layer"]
        with pytest.raises(ModelError) as caught:
            planner.plan(RunConfig.model_validate(values))
        assert caught.value.field == "adapter.targets"
    finally:
        planner.close()
