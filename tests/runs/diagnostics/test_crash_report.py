"""Why a worker died, in words, from its log and the system."""

import subprocess
import sys

import psutil
import pytest

from studio.core.paths import RunPaths
from studio.runs import checkpoints
from studio.runs.control.commands import mark_dead
from studio.runs.diagnostics import crash_report
from studio.runs.diagnostics.crash_report import ATTEMPT_MARK, explain_death
from studio.runs.status import read_status, update_status


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
