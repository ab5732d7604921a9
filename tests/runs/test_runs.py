"""The run folder: events, status, checkpoints and last words."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from studio.config import RunConfig, run_file
from studio.core.errors import ConfigError, ConflictError, FieldProblem, NotFoundError
from studio.core.paths import RunPaths, Workspace, write_atomic
from studio.runs import checkpoints
from studio.runs.control import command_file
from studio.runs.control.commands import mark_dead
from studio.runs.control.resumable_changes import ensure_resumable
from studio.runs.diagnostics import crash_report
from studio.runs.diagnostics.crash_report import ATTEMPT_MARK, explain_death
from studio.runs.event_log import EventLog, read_events
from studio.runs.status import read_status, update_status
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


def test_events_are_read_from_where_one_left_off(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append("metrics", loss=1.0)
    first = read_events(log.path)
    log.append("metrics", loss=float("nan"))
    second = read_events(log.path, first.offset)
    assert [event.values for event in first.events] == [{"loss": 1.0}]
    assert len(second.events) == 1 and second.events[0].values["loss"] != 1.0


def test_a_torn_line_is_skipped_and_does_not_swallow_the_next(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append("metrics", loss=1.0)
    with log.path.open("ab") as handle:
        handle.write(b'{"type": "metrics", "ti')
    assert len(read_events(log.path).events) == 1
    log.append("metrics", loss=2.0)
    assert [event.values["loss"] for event in read_events(log.path).events] == [1.0, 2.0]


def test_a_run_is_made_found_and_listed(store):
    run = store.create(RunConfig(name="Ünïcode / name"))
    assert store.get(run.run_id).config.name == "Ünïcode / name"
    assert [found.run_id for found in store.list()] == [run.run_id]
    assert run.status.state == "queued" and not run.alive


@pytest.mark.parametrize("name", ["none", "../runs", "", ".", "a/b"])
def test_a_run_id_never_leaves_the_folder(store, name):
    with pytest.raises(NotFoundError):
        store.get(name)


def test_a_living_run_is_not_deleted(store):
    run = store.create(RunConfig())
    me = psutil.Process()
    update_status(run.paths, state="running", pid=os.getpid(), pid_started=me.create_time())
    with pytest.raises(ConflictError):
        store.delete(run.run_id)
    for state, said in (("queued", "waits"), ("starting", "going on")):
        update_status(run.paths, state=state, pid=0)
        with pytest.raises(ConflictError, match=said):
            store.delete(run.run_id)
    update_status(run.paths, state="failed")
    store.delete(run.run_id)
    assert store.list() == []


def test_unknown_keys_of_a_later_version_do_not_break_the_status(store):
    run = store.create(RunConfig())
    text = run.paths.status.read_text().replace("{", '{"from_the_future": 1,', 1)
    run.paths.status.write_text(text)
    assert read_status(run.paths).state == "queued"


def test_only_complete_checkpoints_count(tmp_path):
    paths = RunPaths(tmp_path)
    for step in (5, 10, 15, 20):
        (paths.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    for step in (5, 10, 15):
        checkpoints.mark_complete(paths.checkpoints / f"checkpoint-{step}")
    assert checkpoints.step_of(checkpoints.latest_checkpoint(paths)) == 15
    checkpoints.prune(paths, keep=2)
    left = sorted(folder.name for folder in paths.checkpoints.iterdir())
    assert left == ["checkpoint-10", "checkpoint-15", "checkpoint-20"]


def test_the_last_wish_counts(tmp_path):
    paths = RunPaths(tmp_path)
    assert command_file.requested(paths) == "none"
    command_file.request(paths, "stop")
    assert command_file.requested(paths) == "stop"
    for damaged in ("", "[]", '{"command": "dance"}', '{"command": ["stop"]}'):
        paths.control.write_text(damaged)
        assert command_file.requested(paths) == "none"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory", "Memory ran out"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ModuleNotFoundError: No module named 'trl'", "A package is missing"),
        ("Traceback (most recent call last):\nValueError: x", "The worker failed"),
        ("Fatal Python error: Segmentation fault", "A library crashed"),
        ("RuntimeError: CUDA error: device-side assert triggered", "graphics card"),
        ("RuntimeError: grad_norm is nan", "no number any more"),
        ("PIL.UnidentifiedImageError: cannot identify image file", "row of the data"),
        ("requests.exceptions.ConnectionError: hub", "hub could not be reached"),
        ("PermissionError: [Errno 13] run.yaml", "could not be written"),
        ("RuntimeError: EADDRINUSE: Address already in use", "port"),
        ("{'loss': 1}\nLoading the rest", "killed from outside"),
    ],
)
def test_the_cause_of_death_is_read_from_the_log(tmp_path, log, said):
    paths = RunPaths(tmp_path)
    paths.log.write_text(log)
    death = explain_death(paths)
    assert said in death.message and death.remedy
    assert death.lines[-1] == log.splitlines()[-1]


NO_ROOM = """\
import resource, sys, traceback, numpy, safetensors.torch, torch
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
weights = {"a": torch.zeros(1_000_000)}
how = {
    "torch": lambda: torch.save(weights, sys.argv[2]),
    "safetensors": lambda: safetensors.torch.save_file(weights, sys.argv[2]),
    "numpy": lambda: numpy.save(sys.argv[2], numpy.zeros(1_000_000)),
    "text": lambda: open(sys.argv[2], "w").write(100_000 * "text"),
}
try:
    how[sys.argv[1]]()
except Exception:
    traceback.print_exc()
"""


@pytest.mark.parametrize("library", ["torch", "safetensors", "numpy", "text"])
def test_a_write_that_failed_is_heard_in_the_words_of_each_library(tmp_path, monkeypatch, library):
    command = [sys.executable, "-c", NO_ROOM, library, str(tmp_path / "file.npy")]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    paths = RunPaths(tmp_path)
    paths.log.write_text(said)
    monkeypatch.setattr(crash_report, "free_space", lambda paths: 2**40)
    assert "could not be written whole" in explain_death(paths).message, said
    if library in ("torch", "numpy"):  # which do not repeat why
        monkeypatch.setattr(crash_report, "free_space", lambda paths: 5 * 2**20)
        assert explain_death(paths).message == "The disk is full."


@pytest.mark.parametrize(
    "last",
    [
        "RuntimeError: basic_ios::clear: iostream error",
        "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 971008 vs 970896",
        "SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)",
        "RuntimeError: write(): fd 3 failed with No space left on device",
        "{'loss': 1}",
    ],
)
def test_a_full_disk_is_found_by_looking_at_it(tmp_path, monkeypatch, last):
    """It is looked at before the half-written checkpoint goes, which makes room."""
    paths = RunPaths(tmp_path)
    torn = paths.checkpoints / "checkpoint-2"
    torn.mkdir(parents=True)
    paths.log.write_text(last)
    monkeypatch.setattr(crash_report, "free_space", lambda paths: 0 if torn.is_dir() else 2**40)
    update_status(paths, state="running")
    mark_dead(paths)
    assert read_status(paths).message == "The disk is full." and not torn.exists()


TORCHRUN = """\
[rank1]: Traceback (most recent call last):
[rank1]:   File "/venv/studio/training/run_training.py", line 80, in _train
[rank1]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
[rank0]: Traceback (most recent call last):
[rank0]:   File "/venv/torch/nn/parallel/distributed.py", line 2364, in _broadcast
[rank0]: RuntimeError: Connection closed by peer. This is typically caused by a remote worker crashing
W1127 10:00:00.000 torch/distributed/elastic/multiprocessing/api.py:900] Sending process 12 SIGTERM
Traceback (most recent call last):
  File "/venv/torch/distributed/launcher/api.py", line 264, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
studio FAILED
"""


def test_of_several_processes_the_one_that_failed_is_heard(tmp_path):
    paths = RunPaths(tmp_path)
    paths.log.write_text(TORCHRUN)
    death = explain_death(paths)
    assert (death.message, death.kind) == ("Memory ran out.", crash_report.MEMORY)
    assert "torch.OutOfMemoryError: CUDA out of memory" in death.lines[1]
    assert not any("Child" in line or "peer" in line for line in death.lines)
    update_status(paths, state="running")
    update_status(RunPaths(tmp_path, 1), state="failed", message="There is no model.", field="x")
    mark_dead(paths)
    status = read_status(paths)
    assert (status.message, status.field) == ("Process 2: There is no model.", "x")


def test_what_the_system_tells_of_a_death_without_words(tmp_path, monkeypatch):
    paths = RunPaths(tmp_path)
    paths.log.write_text("{'loss': 1}\n")
    for before, now, said in (
        (4, 4, "killed from outside"),
        (4, 5, "memory ran out"),
        (-1, 5, "killed from outside"),
    ):
        monkeypatch.setattr(crash_report, "oom_kills", lambda now=now: now)
        update_status(paths, state="running", oom_kills=before)
        assert said in explain_death(paths).message
    assert explain_death(paths).lines == [], "a loss is no last word"
    assert "start it again" in explain_death(paths).remedy
    (paths.checkpoints / "checkpoint-5").mkdir(parents=True)
    checkpoints.mark_complete(paths.checkpoints / "checkpoint-5")
    monkeypatch.setattr(psutil, "boot_time", lambda: read_status(paths).updated + 60)
    assert "machine was restarted" in explain_death(paths).message
    assert "last complete checkpoint" in explain_death(paths).remedy
    monkeypatch.undo()
    assert crash_report.oom_kills() >= -1


@pytest.mark.parametrize("cause", crash_report.CAUSES, ids=lambda cause: cause.message)
def test_what_to_do_is_something_that_can_be_done(cause):
    """Settings that a resumed run may not change are changed in a clone."""
    assert "resume" in cause.remedy.lower() or "clone" in cause.remedy.lower()
    if cause.field:
        assert "lone" in cause.remedy


def test_an_earlier_attempt_is_not_blamed(tmp_path):
    paths = RunPaths(tmp_path)
    paths.log.write_text(f"No space left on device\n{ATTEMPT_MARK} 2\n{{'loss': 1}}\n")
    assert "disk" not in explain_death(paths).message


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '"x"', "{}", '{"state": "dancing"}', '{"state": "running", "pid": "x"}', "\xff"],
)
def test_a_damaged_status_is_that_of_a_run_whose_worker_is_gone(store, text):
    run = store.create(RunConfig())
    run.paths.status.write_text(text, encoding="latin-1")
    (found,) = store.list()
    assert found.status.active and not found.alive
    mark_dead(found.paths)
    assert read_status(run.paths).state == "failed"


def test_threads_that_write_one_file_at_once_leave_a_whole_one(tmp_path):
    file, texts = tmp_path / "status.json", [str(n) * 200_000 for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_atomic(file, texts[n % 4], durable=False), range(200)))
    assert file.read_text() in texts and list(tmp_path.iterdir()) == [file]


def test_what_a_resumed_run_may_not_change_is_named_in_its_message():
    """The status and the head show the message alone."""
    was = RunConfig().model_dump(mode="json")
    changed = {"optimizer": {"learning_rate": 0.002}, "batch": {"total": 64}}
    with pytest.raises(ConfigError) as caught:
        ensure_resumable(was, run_file.parse(changed))
    rate = was["optimizer"]["learning_rate"]
    assert f"optimizer.learning_rate was {rate!r} when the run began and is" in caught.value.message
    assert "batch.total was" in caught.value.message
    assert caught.value.remedy.count("clone it") == 1


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (FieldProblem("schedule.epochs", "must be more than 3."), "schedule.epochs must be more"),
        (FieldProblem("a.yaml", "is not a mapping of settings."), "a.yaml is not a mapping"),
        (FieldProblem("batch.x", "unknown setting."), "batch.x: unknown setting."),
        (FieldProblem("batch.x", "Input should be 1 or more (got 0)."), "batch.x: Input should"),
        (FieldProblem("adapter", "Quantized weights cannot be trained."), "Quantized weights"),
        (FieldProblem("dpo", "In dpo there is no x."), "In dpo there"),
    ],
)
def test_a_problem_is_a_whole_sentence_where_its_field_is_not_shown(problem, said):
    assert ConfigError([problem]).message.startswith(said)
