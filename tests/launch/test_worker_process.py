"""More than one process, several machines, and scripts for SLURM."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
import torch
import yaml

from studio.config import run_file
from studio.config.adapter import AdapterConfig
from studio.config.availability import availability_problems
from studio.config.consistency import cautions, problems
from studio.config.training import SAVINGS
from studio.core.errors import ConfigError, InputError
from studio.core.paths import Workspace
from studio.launch import worker_process
from studio.launch.foreground_run import follow, start_now
from studio.launch.slurm import SlurmJob, made_for_slurm, slurm_script
from studio.launch.supervisor import Supervisor
from studio.models.devices import pick_device
from studio.runs.control import command_file
from studio.runs.curves import Diary
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.training.distributed import for_all_there_are

PROCESS = psutil.Process()
OFF = dict.fromkeys(SAVINGS, "off")
SMALL = {
    "name": "small",
    "adapter": {"rank": 4},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:12]"},
    "optimizer": {"learning_rate": 2e-3},
    "schedule": {"max_steps": 3, "save_every": 100},
    "probes": {"count": 0, "forgetting": None},
    "speed": OFF,
}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


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


def config(**launch):
    return run_file.parse({**SMALL, "launch": launch})


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


def test_slurm_scripts_are_shell_and_start_the_worker(workspace, tmp_path):
    run = RunStore(workspace).create(config())
    for job in (SlurmJob(), SlurmJob(nodes=2, partition="gpu", setup="module load cuda")):
        text = slurm_script(run, job)
        script = tmp_path / "run.sbatch"
        script.write_text(text)
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
        assert f"#SBATCH --gpus-per-node={job.gpus}" in text and str(run.paths.root) in text
        assert "#SBATCH --requeue" in text and "#SBATCH --signal=B:USR1@300" in text
        assert "srun --kill-on-bad-exit=1" in text
    assert f"#SBATCH --job-name={run.run_id}" in text
    assert "--num_processes 2" in text and "--partition=gpu" in text
    assert "scontrol show hostnames" in text and text.index("module load") < text.index("set -eu")
    assert "sbatch" in text.partition("#SBATCH")[0], "what to do with it comes first"
    with pytest.raises(ConfigError, match="do not divide"):
        slurm_script(run, SlurmJob(gpus=3))
    for names in ({"partition": "a\n#SBATCH --wrap=x"}, {"account": "$(id)"}, {"account": "a b"}):
        with pytest.raises(InputError, match=f"is no {next(iter(names))}"):
            slurm_script(run, SlurmJob(**names))


SLURM = {
    "srun": 'shift; [ "$1" != bash ] || shift; exec bash "$TOOLS/worker"',
    "scontrol": '[ "$1" != show ] || { echo localhost; exit; }; echo "$@" >> "$TOOLS/asked"',
    "worker": """cp "$RUN/control.json" "$TOOLS/begun"; touch "$TOOLS/running"
until grep -q stop "$RUN/control.json"; do sleep 0.05; done""",
}


@pytest.mark.parametrize(
    ("name", "state", "asked"),
    [("USR1", "stopped", ["requeue 7"]), ("USR1", "finished", []), ("TERM", "stopped", [])],
)
def test_a_slurm_job_saves_itself_before_its_time_is_up(workspace, tmp_path, name, state, asked):
    run = RunStore(workspace).create(config())
    update_status(run.paths, state=state)
    command_file.request(run.paths, "stop")  # left by the time before
    for called, body in SLURM.items():
        tool = tmp_path / called
        tool.write_text(f"#!/bin/bash\n{body}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    script = tmp_path / "run.sbatch"
    script.write_text(slurm_script(run, SlurmJob()))
    given = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "8", "TOOLS": str(tmp_path)}
    given |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUN": str(run.paths.root)}
    job = subprocess.Popen(["bash", str(script)], env=os.environ | given)
    while not (tmp_path / "running").exists() and job.poll() is None:
        time.sleep(0.02)
    job.send_signal(signal.Signals[f"SIG{name}"])
    assert job.wait(timeout=30) == 0
    assert json.loads((tmp_path / "begun").read_text()) == {"command": "none"}
    assert command_file.requested(run.paths) == "stop"
    said = tmp_path / "asked"
    assert (said.read_text().splitlines() if said.exists() else []) == asked


def test_a_run_for_slurm_is_left_alone_by_the_studio(workspace, monkeypatch):
    started = []
    run = made_for_slurm(config(), workspace)
    supervisor = Supervisor(workspace)
    supervisor.step()
    assert RunStore(workspace).get(run.run_id).status.state == "stopped"
    update_status(run.paths, state="running", pid=1, pid_started=1.0, host="node7")
    supervisor.step()
    there = RunStore(workspace).get(run.run_id)
    assert there.status.state == "running" and there.alive
    other = RunStore(workspace).create(config())
    monkeypatch.setattr("studio.launch.supervisor.launch_worker", started.append)
    supervisor.step()
    assert [run.run_id for run in started] == [other.run_id]  # the other machine is not this one
    here = replace(there, status=replace(there.status, host=""))
    assert not here.alive


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
