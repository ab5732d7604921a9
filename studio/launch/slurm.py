"""A run as a batch script for SLURM, on one machine or several."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from studio.config import RunConfig
from studio.config.accelerate_file import ACCELERATE_ENGINE
from studio.config.job_flavors import sent_elsewhere
from studio.config.setting_conflicts import ensure_consistent
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.launch.run_preparation import prepare
from studio.launch.script_templates import fill
from studio.launch.worker_process import PROJECT_ROOT
from studio.runs.store import Run, RunStore

NAME = r"[\w.,:@+-]+"


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
    return fill(
        "slurm.sh.j2",
        name=run.config.name,
        run=run.paths.root,
        project=PROJECT_ROOT,
        options=options,
        setup=job.setup,
        grace=job.grace,
        alone=_alone(run, job),
        command=_command(run, job),
    )


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
