"""More than one process, and several machines."""

import os
import socket
import subprocess
import sys

import psutil
import pytest
import torch
import yaml

from studio.config import run_file
from studio.config.adapter import AdapterConfig
from studio.config.availability import availability_problems
from studio.config.setting_conflicts import cautions, problems
from studio.core.errors import ConfigError
from studio.core.paths import Workspace
from studio.launch import worker_process
from studio.launch.foreground_run import follow, start_now
from studio.launch.supervisor import Supervisor
from studio.models.devices import pick_device
from studio.runs.curves import Diary
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.training.distributed import for_all_there_are
from tests.launch.small_run import SMALL, config

PROCESS = psutil.Process()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The losses of one process, step by step."""
    from studio.training.run_training import execute

    workspace = Workspace.locate(tmp_path_factory.mktemp("alone"))
    run = RunStore(workspace).create(config())
    execute(run.config, run.paths, workspace)
    return losses(run)


def losses(run):
    return dict(Diary(run.paths.events).refresh().series["loss"])


def accelerate_file(folder, name="accelerate.yaml", **values):
    """A file as `accelerate config` writes one."""
    common = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU"}
    common |= {"num_machines": 1, "machine_rank": 0, "mixed_precision": "no", "use_cpu": False}
    path = folder / name
    path.write_text(yaml.safe_dump(common | values))
    return path


@pytest.mark.usefixtures("forked")
def test_two_processes_learn_what_one_learns(workspace, alone):
    two = start_now(config(processes=2), workspace)
    assert follow(two, quiet=True).state == "finished", two.paths.log.read_text()
    assert losses(two) == pytest.approx(alone, abs=1e-3) and len(alone) == 3
    assert RunStore(workspace).get(two.run_id).has_adapter


@pytest.mark.usefixtures("forked")
def test_two_machines_learn_what_one_learns(workspace, alone, tmp_path):
    """Both on this one: each has its own file, `accelerate launch` and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = {"num_machines": 2, "num_processes": 2, "main_process_ip": "127.0.0.1"}
    both |= {"main_process_port": port, "same_network": True}
    first, second = (
        accelerate_file(tmp_path, f"machine{rank}.yaml", machine_rank=rank, **both)
        for rank in (0, 1)
    )
    run = start_now(config(engine=f"accelerate:{first}"), workspace)
    other = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(second)]
    joined = subprocess.run(
        [*other, "--module", "studio", "worker", str(run.paths.root)],
        env=worker_process.environment() | {"ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert joined.returncode == 0, joined.stderr[-2000:]
    assert follow(run, quiet=True).state == "finished", run.paths.log.read_text()
    assert losses(run) == pytest.approx(alone, abs=1e-3)
    (said,) = [n for n in Diary(run.paths.events).refresh().notices if n.type == "changed"]
    assert "2 were started instead of 1" in said.message and "a step still has 4" in said.message


def test_a_step_has_as_many_rows_however_many_processes_there_are(workspace, monkeypatch):
    run = RunStore(workspace).create(config())
    monkeypatch.setenv("WORLD_SIZE", "2")
    there = for_all_there_are(run.config, run.paths)
    assert (run.config.accumulation, there.accumulation) == (2, 1)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="do not divide"):
        for_all_there_are(run.config, run.paths)


def test_each_process_of_a_machine_has_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device() == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert pick_device() == torch.device("cuda", 1)


def test_the_command_follows_the_engine(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "has_gpus", lambda: True)
    paths = workspace.run("r")
    one = worker_process.worker_command(config(), paths)
    assert one == [sys.executable, "-m", "studio", "worker", str(paths.root)]
    many = worker_process.worker_command(config(processes=2), paths)
    assert "--multi_gpu" in many and many[-4:] == ["--module", "studio", "worker", str(paths.root)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert worker_process._devices(config()) == {"CUDA_VISIBLE_DEVICES": "2"}
    assert worker_process._devices(config(processes=2)) == {}
    own = worker_process.worker_command(config(engine="accelerate:/fsdp.yaml"), paths)
    assert own[3:5] == ["--config_file", "/fsdp.yaml"] and "--num_processes" not in own
    job = worker_process.worker_command(config(engine="hf-jobs:l4x1"), paths)
    assert job[1:4] == ["-m", "studio", "remote"]


def test_processes_must_divide_the_batch():
    (problem,) = problems(config(processes=3))
    assert problem.field == "launch.processes" and "batch.total to 6" in problem.remedy


BAD_FILES = {
    "none": ({}, "There is no file"),
    "no yaml": ({"text": "distributed_type: ["}, "cannot be read"),
    "another": ({"text": "a: 1"}, "no configuration of accelerate"),
    "deepspeed": ({"distributed_type": "DEEPSPEED"}, "deepspeed is not installed"),
}


@pytest.mark.parametrize(("values", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(tmp_path, values, message):
    path = tmp_path / "accelerate.yaml"
    if "text" in values:
        path.write_text(values["text"])
    elif values:
        accelerate_file(tmp_path, **values)
    (problem,) = problems(config(engine=f"accelerate:{path}"))
    assert problem.field == "launch.engine" and message in problem.message
    assert str(path) in problem.message
    assert ("pip install" in problem.remedy) or ("accelerate config" in problem.remedy)


def test_spread_weights_are_refused_where_they_cannot_be(tmp_path):
    path = accelerate_file(tmp_path, distributed_type="FSDP", fsdp_config={"fsdp_version": 2})
    fsdp = config(engine=f"accelerate:{path}")
    assert not availability_problems(fsdp, "cuda")
    assert any("FSDP spreads the weights" in text for text in cautions(fsdp))
    assert any("8 GPUs, of which" in text for text in cautions(config(engine="hf-jobs:a100x8")))
    (on_cpu,) = availability_problems(fsdp, "cpu")
    assert on_cpu.field == "launch.engine" and "FSDP" in on_cpu.message
    values = {**SMALL, "model": {"quantization": "nf4"}, "adapter": {"init": "default"}}
    quantized = run_file.parse(values | {"launch": {"engine": f"accelerate:{path}"}})
    assert "model.quantization" in {p.field for p in availability_problems(quantized, "cuda")}
    pissa = run_file.parse({**SMALL, "adapter": {"init": "pissa"}}).model_copy(
        update={"launch": fsdp.launch}
    )
    assert [p.field for p in availability_problems(pissa, "cuda")] == ["adapter.init"]
    eva = pissa.model_copy(update={"adapter": AdapterConfig(init="eva")})
    assert [p.field for p in availability_problems(eva, "cuda")] == ["adapter.init"]


def test_jobs_elsewhere_and_runs_here_do_not_wait_for_each_other(workspace, monkeypatch):
    started = []
    monkeypatch.setattr("studio.launch.supervisor.launch_worker", started.append)
    store, supervisor = RunStore(workspace), Supervisor(workspace)
    here = store.create(config())
    update_status(here.paths, state="running", pid=os.getpid(), pid_started=PROCESS.create_time())
    second = store.create(config())
    supervisor.step()
    assert started == []
    update_status(second.paths, state="stopped")
    job = store.create(config(engine="hf-jobs:l4x1"))
    supervisor.step()
    assert [run.run_id for run in started] == [job.run_id]
