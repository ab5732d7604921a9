"""Two processes over gloo learn what one learns: SFT and DPO, by TRL's own path and the fast one,
and with the weights spread over them by FSDP2.
"""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fast_pair import OFF
from safetensors.numpy import load_file

from studio.models.adapters import WEIGHTS
from studio.runs import checkpoints
from studio.runs.events import read_events
from studio.services.launching import environment

SOURCES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}
PATHS = {"stock": OFF, "fast": {}}
KINDS = [(method, path) for method in SOURCES for path in PATHS]
SPREAD = ("sft", "spread")
WITHIN = 1e-3


def config(runner, method, path, processes):
    return runner.config(
        method=method,
        data={"source": SOURCES[method], "train": "train[:8]"},
        batch={"per_device": 1, "total": 4},
        schedule={"max_steps": 2, "save_every": 1, "log_every": 1},
        probes={"count": int(path == "spread"), "forgetting": None},
        speed=PATHS.get(path, {}),
        launch={"processes": processes},
    )


@pytest.fixture(scope="module")
def together(shared_runner):
    """The runs of two processes, all executed by the same two."""
    runs = {
        kind: shared_runner.store.create(config(shared_runner, *kind, processes=2))
        for kind in (*KINDS, SPREAD)
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("several_runs.py"))
    folders = [f"{'fsdp:' if kind == SPREAD else ''}{run.paths.root}" for kind, run in runs.items()]
    workers = [
        subprocess.Popen(
            [sys.executable, script, *folders],
            env=environment() | shared | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    said = [worker.communicate(timeout=600)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said[0][-2000:] + said[1][-2000:]
    return runs


@pytest.fixture(scope="module")
def alone(shared_runner):
    """A run of one process on TRL's own path, by method."""
    return {m: shared_runner.run(config(shared_runner, m, "stock", 1))[0] for m in SOURCES}


@pytest.mark.parametrize(("method", "path"), [*KINDS, SPREAD])
def test_two_processes_learn_what_one_learns(shared_runner, together, alone, method, path):
    both, expected = together[method, path], shared_runner.values(alone[method], "loss")
    assert len(expected) == 2 and expected[0] != expected[1]
    assert shared_runner.values(both, "loss") == pytest.approx(expected, abs=WITHIN)
    told = [e for e in read_events(both.paths.events).events if e.type == "fast_path"]
    assert any(e.values["share_images"] for e in told) is (path == "fast")


def test_a_checkpoint_holds_the_part_of_each_process(together):
    for run in together.values():
        folder = checkpoints.latest_checkpoint(run.paths)
        names = {path.name for path in folder.iterdir()}
        assert {"rng_state_0.pth", "rng_state_1.pth", checkpoints.MARKER} <= names


def test_spread_weights_are_kept_whole(together, alone):
    run = together[SPREAD]
    there, here = (load_file(r.paths.adapter / WEIGHTS) for r in (run, alone["sft"]))
    assert {n: v.shape for n, v in there.items()} == {n: v.shape for n, v in here.items()}
    assert all(there[name] == pytest.approx(here[name], abs=WITHIN) for name in here)
    events = read_events(run.paths.events).events
    (path,) = [e.values["message"] for e in events if e.type == "fast_path"]
    assert "FSDP spreads the weights" in path
    assert any("No probes" in e.values["message"] for e in events if e.type == "warning")
