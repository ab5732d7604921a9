"""kill -9 at random moments, of workers and of studios: no run lost, none doubled.

Five of each, or as many as the environment's STUDIO_KILLS says.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from studio.config import run_file
from studio.config.speed import SAVINGS
from studio.core.paths import Workspace
from studio.launch import worker_process
from studio.launch.supervisor import Supervisor
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.status import ENDED
from tests.places import ROOT

KILLS = int(os.environ.get("STUDIO_KILLS", "5"))
DEADLINE = 200
OFF = dict.fromkeys(SAVINGS, "off")
STUDIO = """
import sys, time
from studio.core.paths import Workspace
from studio.launch import supervisor, worker_process
worker_process.WORKER = ("-c", sys.argv[2])
supervisor.STARTUP_GRACE = 3.0
made = supervisor.Supervisor(Workspace.locate(sys.argv[1]))
made.start()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path, client, monkeypatch):
    monkeypatch.setattr(worker_process, "WORKER", ("-c", client))
    made = Supervisor(Workspace.locate(tmp_path / "workspace"))
    yield made
    for run in made.store.list():
        if run.alive:
            os.kill(run.status.pid, signal.SIGKILL)
    made.shutdown()


def config(name, steps):
    return run_file.parse(
        {
            "name": name,
            "adapter": {"rank": 4, "dropout": 0.1},
            "batch": {"per_device": 2, "total": 2},
            "data": {"source": "embedded:sft", "train": "train[:9]"},
            "optimizer": {"learning_rate": 2e-3},
            "schedule": {"max_steps": steps, "save_every": 2},
            "probes": {"count": 0, "forgetting": None},
            "speed": OFF,
        }
    )


def until(condition, supervisor=None):
    for _ in range(DEADLINE * 20):
        if supervisor is not None:
            supervisor.step()
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def losses(run):
    return dict(Diary(run.paths.events).refresh().series["loss"])


def kinds(run):
    return [event.type for event in read_events(run.paths.events).events]


@pytest.mark.timeout(60 * KILLS)
def test_a_worker_killed_again_and_again_ends_where_an_undisturbed_one_ends(supervisor):
    steps, chance = max(12, 2 * KILLS), random.Random(7)
    whole = supervisor.submit(config("whole", steps))
    until(lambda: supervisor.store.get(whole).status.state == "finished", supervisor)
    killed = supervisor.submit(config("killed", steps))
    for number in range(KILLS):
        until(lambda: supervisor.store.get(killed).alive, supervisor)
        began = supervisor.store.get(killed).status
        reached = 1 + number * steps // KILLS
        until(
            lambda reached=reached: (
                len(losses(supervisor.store.get(killed)) if _started(supervisor, killed) else ())
                >= reached
            )
        )
        time.sleep(chance.random() / 5)
        with contextlib.suppress(ProcessLookupError):
            os.kill(began.pid, signal.SIGKILL)
        until(lambda: supervisor.store.get(killed).status.state in ENDED, supervisor)
        assert "killed" in supervisor.store.get(killed).status.message
        supervisor.resume(killed)
    until(lambda: supervisor.store.get(killed).status.state in ENDED, supervisor)
    run = supervisor.store.get(killed)
    assert run.status.state == "finished" and run.status.attempt == KILLS
    expected = losses(supervisor.store.get(whole))
    assert losses(run) == pytest.approx(expected, abs=1e-4) and len(expected) == steps
    assert kinds(run).count("finished") == 1


def _started(supervisor, run_id):
    return "loss" in Diary(supervisor.store.get(run_id).paths.events).refresh().series


@pytest.mark.timeout(60 * KILLS)
def test_a_studio_killed_again_and_again_loses_and_doubles_no_run(supervisor, client):
    chance = random.Random(11)
    runs = [supervisor.submit(config(name, 4)) for name in ("one", "two", "three")]
    for _ in range(KILLS):
        with _studio(supervisor.workspace, client) as studio:
            time.sleep(chance.random() * 1.5)
            studio.send_signal(signal.SIGKILL)
    with _studio(supervisor.workspace, client):
        store = supervisor.store
        until(lambda: all(store.get(run).status.state in ENDED for run in runs))
    for run_id in runs:
        run = supervisor.store.get(run_id)
        assert run.status.state == "finished", (run.status, run.paths.log.read_text())
        steps = [
            e.values["step"] for e in read_events(run.paths.events).events if "loss" in e.values
        ]
        assert steps == [1, 2, 3, 4]
        assert kinds(run).count("finished") == 1 and run.status.attempt == 0


@contextlib.contextmanager
def _studio(workspace, client):
    process = subprocess.Popen(
        [sys.executable, "-c", STUDIO, str(workspace.root), client],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait()
