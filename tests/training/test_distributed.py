"""Two processes over gloo learn what one learns: SFT and DPO, by TRL's own path and the fast one,
and with the weights spread over them by FSDP2.
"""

import socket
import subprocess
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from studio.core.errors import DataError
from studio.launch.worker_process import environment
from studio.models.adapter_config import WEIGHTS
from studio.runs import checkpoints
from studio.runs.event_log import read_events
from studio.runs.status import read_status
from studio.training.distributed import ensure_alike
from studio.training.run_rows import load_run_data
from tests.training.fast_pair import OFF, write_rows

IMAGES = [[0], [0, 1], [], [2], [1], [0], [2, 2], []]
PATHS = {"stock": OFF, "fast": {}}
KINDS = [(method, path) for method in ("sft", "dpo") for path in PATHS]
SPREAD = ("sft", "spread")
EVERY_ROW = [images or [1] for images in IMAGES]
"""Of spread weights all processes ask for the same part at once: in none may a row lack images."""
WITHIN = 1e-3


@pytest.fixture(scope="module")
def config(shared_runner, tmp_path_factory):
    """Settings of a run over two epochs; rows have one image, several and none."""
    rows = {m: write_rows(tmp_path_factory.mktemp(m), m, IMAGES) for m in ("sft", "dpo")}
    rows["spread"] = write_rows(tmp_path_factory.mktemp("spread"), "sft", EVERY_ROW)

    def of(method, path, processes):
        return shared_runner.config(
            method=method,
            data={"source": rows.get(path, rows[method])},
            batch={"per_device": 1, "total": 4},
            schedule={"epochs": 2, "max_steps": None, "save_every": 2, "log_every": 1},
            probes={"count": int(path == "spread"), "forgetting": None},
            speed=PATHS.get(path, {}),
            launch={"processes": processes},
        )

    return of


@pytest.fixture(scope="module")
def together(shared_runner, config, python):
    """The runs of two processes, all executed by the same two."""
    runs = {
        kind: shared_runner.store.create(config(*kind, processes=2)) for kind in (*KINDS, SPREAD)
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
            [python, script, *folders],
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
def alone(shared_runner, config):
    """Runs of one process on TRL's own path."""
    kinds = [kind for kind in (*KINDS, SPREAD) if kind[1] != "fast"]
    found = {kind: shared_runner.run(config(*kind, processes=1))[0] for kind in kinds}
    return found | {(method, "fast"): found[method, "stock"] for method, _ in KINDS}


def told(run, kind):
    return [e.values for e in read_events(run.paths.events).events if e.type == kind]


@pytest.mark.parametrize(("method", "path"), [*KINDS, SPREAD])
def test_two_processes_learn_what_one_learns(shared_runner, together, alone, method, path):
    both, expected = together[method, path], shared_runner.values(alone[method, path], "loss")
    assert len(expected) == 4 and len(set(expected)) == 4
    assert shared_runner.values(both, "loss") == pytest.approx(expected, abs=WITHIN)
    assert read_status(both.paths).state == "finished"
    fast = path == "fast"
    assert any(event["share_images"] for event in told(both, "fast_path")) is fast
    assert any(event["share_prompts"] for event in told(both, "fast_path")) is fast


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_each_process_fills_its_share_of_the_cache(together, method):
    (hits,) = told(together[method, "fast"], "cache_hits")
    assert hits["features"] == 1.0


def test_a_checkpoint_holds_the_part_of_each_process(together):
    for run in together.values():
        folder = checkpoints.latest_checkpoint(run.paths)
        names = {path.name for path in folder.iterdir()}
        assert {"rng_state_0.pth", "rng_state_1.pth", checkpoints.MARKER} <= names


def test_spread_weights_are_kept_whole(together, alone):
    run = together[SPREAD]
    there, here = (load_file(r.paths.adapter / WEIGHTS) for r in (run, alone[SPREAD]))
    assert {n: v.shape for n, v in there.items()} == {n: v.shape for n, v in here.items()}
    assert all(there[name] == pytest.approx(here[name], abs=WITHIN) for name in here)
    (path,) = [event["message"] for event in told(run, "fast_path")]
    assert "FSDP spreads the weights" in path
    assert any("No probes" in event["message"] for event in told(run, "warning"))


@pytest.mark.parametrize("images", [IMAGES, EVERY_ROW, [[]] * 4], ids=["some", "all", "none"])
def test_rows_with_and_without_images_are_refused_where_weights_are_spread(
    shared_runner, tmp_path, monkeypatch, images
):
    source = write_rows(tmp_path, "sft", images)
    data = load_run_data(shared_runner.config(data={"source": source}), shared_runner.workspace)
    ensure_alike(data)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    if images is not IMAGES:
        ensure_alike(data)
        return
    with pytest.raises(DataError, match="2 of 8 rows have no image") as refused:
        ensure_alike(data)
    assert refused.value.field == "data.source"
