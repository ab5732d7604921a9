"""A run as a batch script for SLURM, on one machine or several."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from studio.config import RunConfig
from studio.config.consistency import ensure_consistent
from studio.config.engines import ACCELERATE_ENGINE, sent_elsewhere
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.launch.prepare import prepare
from studio.launch.worker_process import PROJECT_ROOT
from studio.runs.store import Run, RunStore

NAME = r"[\w.,:@+-]+"
ABOUT = """\
# The run {name}.
# Start it with `sbatch` and this file. Given to sbatch again, it goes on from its last checkpoint.
# `scancel --signal=TERM --batch JOB` saves and stops it. The machines must share its folder,
# {run}"""
BODY = """\

{setup}set -euo pipefail
cd {project}
RUN={run}

# The batch shell alone gets USR1, {grace} seconds before time is up. The run is then asked to save
# and stop, and the job goes back into the queue; it starts again from its last checkpoint.
ask() {{
    printf '{{"command": "%s"}}\\n' "$1" > "$RUN/control.json.asked"
    mv "$RUN/control.json.asked" "$RUN/control.json"
}}
again=no
trap 'woken=yes; again=yes; ask stop' USR1
trap 'woken=yes; ask stop' TERM

ask none
{environment}
{command} &
training=$!
woken=yes
while [ $woken = yes ]; do  # a signal ends the waiting, not the run
    woken=no
    code=0
    wait $training || code=$?
done
if [ $again = yes ] && ! grep -q '"state": "finished"' "$RUN/status.json"; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
"""


@dataclass(frozen=True)
class SlurmJob:
    """What to ask the scheduler for.

    Attributes:
        nodes, gpus: Machines, and GPUs on each.
        hours: Longest time.
        partition, account: Left out when empty.
        setup: Shell line run before training (`module load …`, `source …/activate`).
        python: Interpreter on the cluster.
        cpus: CPU cores for each GPU.
        grace: Seconds before the end in which the run saves itself.
    """

    nodes: int = 1
    gpus: int = 1
    hours: int = 24
    partition: str = ""
    account: str = ""
    setup: str = ""
    python: str = sys.executable
    cpus: int = 8
    grace: int = 300


def made_for_slurm(config: RunConfig, workspace: Workspace) -> Run:
    """A run that no studio starts by itself; rows of the library are frozen for it.

    Raises:
        ConfigError: The settings contradict each other.
    """
    return RunStore(workspace).create(prepare(config, workspace), state="stopped")


def slurm_script(run: Run, job: SlurmJob) -> str:
    """An sbatch script that trains `run` in its own folder, so that the studio shows it.

    The run folder must lie on a file system that the machines share. Submitting the script again
    goes on from the last complete checkpoint.

    Raises:
        ConfigError: That many processes cannot train it.
        InputError: A name of the cluster is none.
    """
    ensure_consistent(_config_there(run.config, job))
    for what in ("partition", "account"):
        _ensure_name(what, getattr(job, what))
    options = {
        "job-name": run.run_id,
        "nodes": job.nodes,
        "ntasks-per-node": 1,
        "gpus-per-node": job.gpus,
        "cpus-per-task": job.gpus * job.cpus,
        "time": f"{job.hours}:00:00",
        "output": str(run.paths.log),
        "open-mode": "append",
        "signal": f"B:USR1@{job.grace}",
        "partition": job.partition,
        "account": job.account,
    }
    header = [
        f"#SBATCH --{key}={shlex.quote(str(value))}" for key, value in options.items() if value
    ]
    body = BODY.format(
        project=shlex.quote(str(PROJECT_ROOT)),
        run=shlex.quote(str(run.paths.root)),
        setup=f"{job.setup}\n" if job.setup else "",
        grace=job.grace,
        environment="\n".join(_environment(_alone(run, job))),
        command=_command(run, job),
    )
    about = ABOUT.format(name=run.config.name, run=run.paths.root)
    return "\n".join(["#!/bin/bash", about, *header, "#SBATCH --requeue", body])


def _ensure_name(what: str, text: str) -> None:
    if text and not re.fullmatch(NAME, text):
        raise InputError(
            f"{text.splitlines()[0]!r} is no {what} of a cluster.",
            remedy=f"Give the {what} as `sinfo` or `sacctmgr` shows it, or leave it out.",
            field=what,
        )


def _config_there(config: RunConfig, job: SlurmJob) -> RunConfig:
    """`config` as the processes on the cluster take it; a job's engine gives way to theirs."""
    launch: dict[str, Any] = {"processes": job.nodes * job.gpus}
    if sent_elsewhere(config):
        launch["engine"] = "local"
    return config.model_copy(update={"launch": config.launch.model_copy(update=launch)})


def _alone(run: Run, job: SlurmJob) -> bool:
    """Whether there is one process, which accelerate need not start."""
    return job.nodes * job.gpus == 1 and not run.config.launch.engine.startswith(ACCELERATE_ENGINE)


def _environment(alone: bool) -> list[str]:
    lines = ['export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"']
    if alone:
        return lines
    return [
        *lines,
        'MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)"',
        'MASTER_PORT="$((20000 + SLURM_JOB_ID % 20000))"',
        "export MASTER_ADDR MASTER_PORT",
    ]


def _command(run: Run, job: SlurmJob) -> str:
    srun = "srun --kill-on-bad-exit=1"
    worker = ["studio", "worker", str(run.paths.root)]
    if _alone(run, job):
        return f"{srun} {shlex.join([job.python, '-m', *worker])}"
    launch = [job.python, "-m", "accelerate.commands.launch"]
    engine = run.config.launch.engine
    if engine.startswith(ACCELERATE_ENGINE):
        launch += ["--config_file", engine.removeprefix(ACCELERATE_ENGINE)]
    else:
        launch += ["--multi_gpu", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_processes", str(job.nodes * job.gpus), "--num_machines", str(job.nodes)]
    launch.append("--same_network")
    there = '--machine_rank "$SLURM_NODEID" --main_process_ip "$MASTER_ADDR"'
    there += ' --main_process_port "$MASTER_PORT"'
    inner = f"exec {shlex.join(launch)} {there} --module {shlex.join(worker)}"
    return f"{srun} bash -c {shlex.quote(inner)}"
