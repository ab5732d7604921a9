"""The queue, the detached worker, and what is recorded when one dies."""

import os
import signal
import subprocess
import sys
import time

import pytest

from studio.config import RunConfig, run_file
from studio.core.errors import ConfigError, ConflictError
from studio.core.paths import Workspace, write_json
from studio.core.process_identity import process_alive
from studio.evaluation.evaluation_request import Wanted
from studio.launch import evaluation_job
from studio.launch import worker_process as module
from studio.launch.supervisor import Supervisor
from studio.runs import checkpoints, held_out_result
from studio.runs.control import command_file
from studio.runs.control.commands import extend, kill_worker
from studio.runs.event_log import read_events
from studio.runs.status import ENDED, update_status

DEADLINE = 240


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(Workspace.locate(tmp_path))
    yield made
    for run in made.store.list():
        if run.alive:
            os.kill(run.status.pid, signal.SIGKILL)
    made.shutdown()


@pytest.fixture
def sleeping_worker(monkeypatch):
    """Workers that say who they are and then sleep, in place of ones that train."""
    script = (
        "import os, sys, time, psutil; sys.path.insert(0, os.environ['PYTHONPATH']);"
        "from pathlib import Path; from studio.core.paths import RunPaths;"
        "from studio.runs.status import update_status; print('hello from', os.getpid(), flush=True);"
        "update_status(RunPaths(Path(sys.argv[-1])), state='running', pid=os.getpid(),"
        " pid_started=psutil.Process().create_time()); time.sleep(600)"
    )
    monkeypatch.setattr(module, "WORKER", ("-c", script))


@pytest.fixture
def forked_worker(monkeypatch, client):
    """Real workers, born with torch loaded."""
    monkeypatch.setattr(module, "WORKER", ("-c", client))


def quick(name: str = "quick") -> RunConfig:
    return run_file.parse(
        {
            "name": name,
            "adapter": {"rank": 4},
            "batch": {"per_device": 2, "total": 2},
            "data": {"source": "embedded:sft", "train": "train[:4]"},
            "schedule": {"max_steps": 2},
            "probes": {"count": 0, "forgetting": None},
        }
    )


def wait_for(supervisor: Supervisor, run_id: str, reached) -> None:
    for _ in range(DEADLINE * 20):
        supervisor.step()
        if reached(supervisor.store.get(run_id)):
            return
        time.sleep(0.05)
    raise AssertionError(supervisor.store.get(run_id).paths.log.read_text())


def test_a_run_is_trained_by_a_worker_of_its_own(supervisor, forked_worker):
    run_id = supervisor.submit(quick())
    wait_for(supervisor, run_id, lambda run: run.status.state in ENDED)
    run = supervisor.store.get(run_id)
    assert run.status.state == "finished", run.paths.log.read_text()
    assert run.has_adapter and run.status.step == run.status.total_steps == 2
    kinds = [event.type for event in read_events(run.paths.events).events]
    assert kinds.count("metrics") == 2 and kinds[-1] == "finished"
    with pytest.raises(ConflictError):
        supervisor.resume(run_id)


def test_a_run_that_cannot_start_names_the_field(supervisor, forked_worker):
    config = quick()
    missing = config.model_copy(
        update={"data": config.data.model_copy(update={"source": "/no/such/rows.jsonl"})}
    )
    run_id = supervisor.submit(missing)
    wait_for(supervisor, run_id, lambda run: run.status.state in ENDED)
    status = supervisor.store.get(run_id).status
    assert status.state == "failed" and status.field == "data.source" and status.remedy


def test_a_contradiction_is_not_even_queued(supervisor):
    with pytest.raises(ConfigError):
        supervisor.submit(run_file.parse({"adapter": None, "model": {"quantization": "nf4"}}))
    assert supervisor.store.list() == []


def test_one_run_at_a_time_in_the_order_of_submission(supervisor, sleeping_worker):
    first, second = supervisor.submit(quick("one")), supervisor.submit(quick("two"))
    wait_for(supervisor, first, lambda run: run.alive)
    supervisor.step()
    assert supervisor.store.get(second).status.state == "queued"
    supervisor.stop(second)
    assert supervisor.store.get(second).status.state == "stopped"


def test_a_killed_worker_is_failed_with_its_last_words_and_can_be_resumed(
    supervisor, sleeping_worker
):
    run_id = supervisor.submit(quick())
    wait_for(supervisor, run_id, lambda run: run.alive)
    pid = supervisor.store.get(run_id).status.pid
    os.kill(pid, signal.SIGKILL)
    wait_for(supervisor, run_id, lambda run: run.status.state == "failed")
    status = supervisor.store.get(run_id).status
    assert (
        status.lines == [f"hello from {pid}"]
        and "killed" in status.message
        and "start it again" in status.remedy
    )
    supervisor.resume(run_id)
    wait_for(supervisor, run_id, lambda run: run.alive)
    assert supervisor.store.get(run_id).status.attempt == 1


def test_a_new_studio_finds_the_running_worker_and_starts_no_second(
    supervisor, sleeping_worker, tmp_path
):
    run_id = supervisor.submit(quick())
    wait_for(supervisor, run_id, lambda run: run.alive)
    pid = supervisor.store.get(run_id).status.pid
    supervisor.shutdown()
    successor = Supervisor(Workspace.locate(tmp_path))
    successor.step()
    assert successor.store.get(run_id).alive and successor.store.get(run_id).status.pid == pid
    os.kill(pid, signal.SIGKILL)
    supervisor._children[run_id].wait()
    successor.step()
    assert successor.store.get(run_id).status.state == "failed"


def test_two_studios_do_not_both_supervise(supervisor, tmp_path):
    other = Supervisor(Workspace.locate(tmp_path))
    assert supervisor._supervising()
    assert not other._supervising()
    supervisor.shutdown()
    assert other._supervising()
    other.shutdown()


def test_a_second_worker_for_the_same_run_does_nothing(supervisor, tmp_path):
    from filelock import FileLock

    run = supervisor.store.create(quick())
    with FileLock(run.paths.root / ".worker.lock"):
        done = subprocess.run(
            [sys.executable, "-m", "studio", "worker", str(run.paths.root)], timeout=60, check=False
        )
    assert done.returncode == 0
    assert supervisor.store.get(run.run_id).status.state == "queued"


def test_a_run_whose_studio_died_while_starting_it_waits_again(supervisor, monkeypatch):
    run = supervisor.store.create(quick(), state="starting")
    supervisor.pause(True)
    supervisor.step()
    assert supervisor.store.get(run.run_id).status.state == "starting"
    monkeypatch.setattr("studio.launch.supervisor.STARTUP_GRACE", -1.0)
    for _ in range(3):
        update_status(run.paths, state="starting")
        supervisor.step()
        assert supervisor.store.get(run.run_id).status.state == "queued"
    update_status(run.paths, state="starting")
    supervisor.step()
    assert supervisor.store.get(run.run_id).status.state == "failed"


def test_a_stranger_with_the_workers_process_id_is_left_alone(supervisor):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        run = supervisor.store.create(quick(), state="running")
        update_status(run.paths, pid=stranger.pid, pid_started=time.time() - 5000)
        kill_worker(supervisor.store.get(run.run_id))
        supervisor.step()
        assert stranger.poll() is None
        assert supervisor.store.get(run.run_id).status.state == "failed"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_double_click_starts_one_run(supervisor):
    first = supervisor.submit(quick())
    with pytest.raises(ConflictError, match=first):
        supervisor.submit(quick())
    assert [run.run_id for run in supervisor.store.list()] == [first]


def test_a_paused_queue_starts_nothing(supervisor, sleeping_worker):
    supervisor.pause(True)
    run_id = supervisor.submit(quick())
    supervisor.step()
    assert supervisor.store.get(run_id).status.state == "queued"
    supervisor.pause(False)
    wait_for(supervisor, run_id, lambda run: run.alive)


def test_a_run_file_that_is_damaged_fails_its_run_and_not_the_queue(supervisor, sleeping_worker):
    broken, fine = supervisor.submit(quick("broken")), supervisor.submit(quick("fine"))
    path = supervisor.store.get(broken).paths.config
    path.write_bytes(b"name: \xff\xfe\n")
    wait_for(supervisor, fine, lambda run: run.alive)
    status = supervisor.store.get(broken).status
    assert status.state == "failed" and "run file" in status.message
    assert str(path) in status.remedy


def test_the_queue_outlives_a_round_that_went_wrong(supervisor, monkeypatch, caplog):
    monkeypatch.setattr("studio.launch.supervisor.INTERVAL", 0.01)
    rounds = iter([OSError(28, "No space left on device")] * 3 + [None] * 10_000)
    seen = []

    def step():
        trouble = next(rounds)
        seen.append(trouble)
        if trouble:
            raise trouble

    monkeypatch.setattr(supervisor, "step", step)
    supervisor.start()
    for _ in range(500):
        if None in seen:
            break
        time.sleep(0.02)
    assert None in seen, "it went on after the trouble"
    assert caplog.text.count("No space left on device") == 1, "told once"


@pytest.mark.parametrize(
    ("length", "said"),
    [
        ({"epochs": 1e9}, "schedule.epochs"),
        ({"epochs": 3}, "must be more than the 3"),
        ({"epochs": 3.01}, "are 7 steps, and the run is at step 8"),
        ({"max_steps": 8}, "more than 8"),
    ],
)
def test_a_run_is_not_made_longer_by_what_it_cannot_be(supervisor, length, said):
    config = quick().model_copy(
        update={"schedule": run_file.parse({"schedule": {"epochs": 3}}).schedule}
    )
    run = supervisor.store.create(config, state="finished")
    with pytest.raises(ConflictError, match="left no checkpoint"):
        extend(supervisor.store, run.run_id, **length)
    folder = run.paths.checkpoints / "checkpoint-8"
    folder.mkdir(parents=True)
    checkpoints.mark_complete(folder)
    write_json(run.paths.plan, {"train_rows": 4})
    update_status(run.paths, step=8, total_steps=8)
    with pytest.raises(ConfigError, match=said):
        extend(supervisor.store, run.run_id, **length)
    assert supervisor.store.get(run.run_id).config.schedule.epochs == 3
    assert "5 epochs" in extend(supervisor.store, run.run_id, epochs=5)
    status = supervisor.store.get(run.run_id).status
    assert (status.state, status.step, status.total_steps) == ("queued", 8, 10)


def test_a_run_that_never_began_was_not_resumed(supervisor):
    run_id = supervisor.submit(quick())
    supervisor.stop(run_id)
    supervisor.resume(run_id)
    assert supervisor.store.get(run_id).status.attempt == 0


def test_a_run_is_resumed_once_from_where_it_goes_on(supervisor):
    run = supervisor.store.create(quick(), state="stopped")
    for step in (2, 4):
        folder = run.paths.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        checkpoints.mark_complete(folder)
    update_status(run.paths, step=5, total_steps=8, started=1.0)
    supervisor.resume(run.run_id, 2)
    assert supervisor.store.get(run.run_id).status.step == 2
    for state, said in (("queued", "queued already"), ("running", "going on already")):
        update_status(run.paths, state=state)
        with pytest.raises(ConflictError, match=said):
            supervisor.resume(run.run_id)
    update_status(run.paths, state="finished")
    with pytest.raises(ConflictError, match="is finished"):
        supervisor.resume(run.run_id)


def test_stop_now_ends_a_worker_that_does_not_listen(supervisor, sleeping_worker, monkeypatch):
    monkeypatch.setattr("studio.runs.control.commands.STOP_GRACE", 0.2)
    run_id = supervisor.submit(quick())
    wait_for(supervisor, run_id, lambda run: run.alive)
    supervisor.stop(run_id, now=True)
    wait_for(supervisor, run_id, lambda run: run.status.state == "stopped")
    wait_for(
        supervisor, run_id, lambda run: not process_alive(run.status.pid, run.status.pid_started)
    )


def test_a_worker_that_died_for_want_of_memory_goes_on_with_less(supervisor):
    """Rows at once, then checkpointing, then the end; the effective batch stays."""
    batch = {"per_device": 2, "total": 4}
    run = supervisor.store.create(run_file.parse({"batch": batch}), state="running")
    supervisor.pause(True)
    queued, found = run.status.queued, []
    for _ in range(3):
        run.paths.log.write_text("torch.OutOfMemoryError: CUDA out of memory.\n")
        update_status(run.paths, state="running", pid=2**22 + 1, pid_started=1.0)
        supervisor.step()
        made = supervisor.store.get(run.run_id)
        now = made.config.batch
        found.append((made.status.state, now.per_device, now.gradient_checkpointing, now.total))
    assert found == [("queued", 1, False, 4), ("queued", 1, True, 4), ("failed", 1, True, 4)]
    assert (made.status.queued, made.status.attempt) == (queued, 2)
    assert made.status.field == "batch.per_device" and "Clone" in made.status.remedy


def test_less_is_not_taken_where_the_run_is_to_fail_or_to_stop(supervisor):
    supervisor.pause(True)
    for values, wish in (({"batch": {"on_oom": "fail"}}, "none"), ({}, "stop")):
        run = supervisor.store.create(run_file.parse(values), state="running")
        run.paths.log.write_text("MemoryError\n")
        command_file.request(run.paths, wish)
        supervisor.step()
        assert supervisor.store.get(run.run_id).status.state == "failed"
        assert supervisor.store.get(run.run_id).config == run.config


def test_a_finished_run_is_measured_before_the_next_begins(supervisor, forked_worker, forked):
    config = quick()
    data = config.data.model_copy(update={"evaluation": "evaluation[:4]"})
    probes = config.probes.model_copy(update={"held_out": 2, "max_new_tokens": 8})
    run_id = supervisor.submit(config.model_copy(update={"data": data, "probes": probes}))
    paths = supervisor.store.get(run_id).paths

    def measured(run):
        found = held_out_result.read(paths)
        return found is not None and found.state in ("measured", "not measured")

    wait_for(supervisor, run_id, measured)
    found = held_out_result.read(paths)
    assert found.state == "measured", found.sentence
    assert found.rows == 2 and "on 2 held-out rows" in found.sentence
    (evaluation,) = supervisor.evaluations.store.list()
    assert evaluation.request.run == run_id and evaluation.evaluation_id == found.evaluation


def test_no_run_begins_beside_an_evaluation(supervisor, sleeping_worker, monkeypatch):
    monkeypatch.setattr(evaluation_job, "EVALUATOR", ("-c", "input()"))
    monkeypatch.setattr(evaluation_job.subprocess, "DEVNULL", subprocess.PIPE)  # it waits there
    wanted = Wanted("embedded", metrics=("words",), data="embedded:heldout")
    supervisor.evaluations.start(wanted, limit=2)
    supervisor.step()
    assert supervisor.evaluations.busy
    run_id = supervisor.submit(quick())
    supervisor.step()
    assert supervisor.store.get(run_id).status.state == "queued"
    for child in supervisor.evaluations._children.values():
        child.communicate(b"\n")
    wait_for(supervisor, run_id, lambda run: run.alive)


def test_a_run_that_waits_goes_before_an_evaluation(supervisor, sleeping_worker):
    wanted = Wanted("embedded", metrics=("words",), data="embedded:heldout")
    name = supervisor.evaluations.start(wanted, limit=2)
    run_id = supervisor.submit(quick())
    wait_for(supervisor, run_id, lambda run: run.alive)
    supervisor.step()
    assert supervisor.evaluations.state(name).status.state == "queued"
