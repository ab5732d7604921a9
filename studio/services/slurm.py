"""A run as a batch script for SLURM, on one machine or several."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

from studio.runs.store import Run
from studio.services.launching import ACCELERATE_ENGINE, PROJECT_ROOT


@dataclass(frozen=True)
class SlurmJob:
    """What to ask the scheduler for.

    Attributes:
        nodes, gpus: Machines, and GPUs on each.
        hours: Longest time.
        partition, account: Left out when empty.
        setup: Shell line run before training (`module load …`, `source …/activate`).
        python: Interpreter on the cluster.
    """

    nodes: int = 1
    gpus: int = 1
    hours: int = 24
    partition: str = ""
    account: str = ""
    setup: str = ""
    python: str = sys.executable


def slurm_script(run: Run, job: SlurmJob) -> str:
    """An sbatch script that trains `run` in its own folder, so that the studio shows it.

    The run folder must lie on a file system that the machines share. Submitting the script again
    goes on from the last complete checkpoint.
    """
    options = {
        "job-name": run.config.name.replace(" ", "-"),
        "nodes": job.nodes,
        "ntasks-per-node": 1,
        "gpus-per-node": job.gpus,
        "time": f"{job.hours}:00:00",
        "output": str(run.paths.log),
        "open-mode": "append",
        "partition": job.partition,
        "account": job.account,
    }
    header = [f"#SBATCH --{key}={value}" for key, value in options.items() if value]
    lines = [
        "#!/bin/bash",
        *header,
        "",
        "set -euo pipefail",
        f"cd {shlex.quote(str(PROJECT_ROOT))}",
    ]
    if job.setup:
        lines.append(job.setup)
    return "\n".join([*lines, *_command(run, job)]) + "\n"


def _command(run: Run, job: SlurmJob) -> list[str]:
    worker = ["studio", "worker", str(run.paths.root)]
    launch = [job.python, "-m", "accelerate.commands.launch"]
    engine = run.config.launch.engine
    if engine.startswith(ACCELERATE_ENGINE):
        launch += ["--config_file", engine.removeprefix(ACCELERATE_ENGINE)]
    elif job.nodes * job.gpus == 1:
        return [shlex.join([job.python, "-m", *worker])]
    else:
        launch += ["--multi_gpu", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_processes", str(job.nodes * job.gpus), "--num_machines", str(job.nodes)]
    if job.nodes == 1:
        return [shlex.join([*launch, "--main_process_port", "0", "--module", *worker])]
    inner = shlex.join(launch) + ' --machine_rank "$SLURM_NODEID" --main_process_ip "$HEAD"'
    inner += f" --main_process_port 29500 --module {shlex.join(worker)}"
    return [
        'export HEAD="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        f"srun bash -c {shlex.quote(inner)}",
    ]
