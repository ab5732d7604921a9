"""Batch scripts for SLURM."""

import json
import os
import signal
import stat
import subprocess
import time
from dataclasses import replace

import pytest

from studio.core.errors import ConfigError, InputError
from studio.launch.slurm import SlurmJob, made_for_slurm, slurm_script
from studio.launch.supervisor import Supervisor
from studio.runs.control import command_file
from studio.runs.status import update_status
from studio.runs.store import RunStore
from tests.launch.small_run import config


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
