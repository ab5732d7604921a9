"""How a run's worker is started: alone, or as several processes under `accelerate launch`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.config.accelerate_file import ACCELERATE_ENGINE
from studio.config.job_flavors import sent_elsewhere
from studio.core.paths import RunPaths
from studio.runs.control import command_file
from studio.runs.diagnostics.crash_report import ATTEMPT_MARK
from studio.runs.status import update_status
from studio.runs.store import Run

WORKER = ("-m", "studio", "worker")
REMOTE = ("-m", "studio", "remote")
ACCELERATE = ("-m", "accelerate.commands.launch")
PROJECT_ROOT = Path(__file__).resolve().parents[2]


def launch_worker(run: Run) -> subprocess.Popen:
    """Start the detached worker of `run`; its output goes to the run's log."""
    command_file.request(run.paths, "none")
    for other in run.paths.others():
        other.status.unlink(missing_ok=True)
    update_status(run.paths, state="starting", stage="starting", pid=0, pid_started=0.0, host="")
    with run.paths.log.open("ab") as log:
        log.write(f"{ATTEMPT_MARK} {run.status.attempt + 1}\n".encode())
        log.flush()
        return subprocess.Popen(
            worker_command(run.config, run.paths),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment() | _devices(run.config),
            **_detached(),
        )


def worker_command(config: RunConfig, paths: RunPaths) -> list[str]:
    """The command line of a run's worker.

    `launch.engine` is `local` (one process, or `launch.processes` of them with DDP),
    `accelerate:<config file>` (whatever that file says: FSDP, DeepSpeed, several machines) or
    `hf-jobs:<flavor>` (a local process that submits the job and follows it).
    """
    engine, processes = config.launch.engine, config.launch.processes
    if sent_elsewhere(config):
        return [sys.executable, *REMOTE, str(paths.root)]
    worker = [*WORKER, str(paths.root)]
    if engine.startswith(ACCELERATE_ENGINE):
        options = ["--config_file", engine.removeprefix(ACCELERATE_ENGINE)]
        if processes > 1:
            options += ["--num_processes", str(processes)]
        return [sys.executable, *ACCELERATE, *options, *_as_script(worker)]
    if processes > 1 and has_gpus():
        return [sys.executable, *ACCELERATE, *_ddp_options(processes), *_as_script(worker)]
    if processes > 1:  # accelerate starts one process only when it is told to use the CPU
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
        script = [*worker] if worker[0] == "-m" else ["--no-python", sys.executable, *worker]
        return [sys.executable, *torchrun, str(processes), *script]
    return [sys.executable, *worker]


def _as_script(worker: list[str]) -> list[str]:
    """`accelerate launch` starts modules with a switch of its own."""
    if worker[0] == "-m":
        return ["--module", *worker[1:]]
    return ["--no_python", sys.executable, *worker]


def _ddp_options(processes: int) -> list[str]:
    options = ["--multi_gpu", "--num_processes", str(processes), "--num_machines", "1"]
    return [
        *options,
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
    ]


def has_gpus() -> bool:
    """Whether this machine seems to have GPUs that several processes can share out."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    return shutil.which("nvidia-smi") is not None or Path("/dev/kfd").exists()


def environment() -> dict[str, str]:
    """The environment of workers: the project importable, output unbuffered."""
    search = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, search)),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _devices(config: RunConfig) -> dict[str, str]:
    """What the worker sees: one process alone sees one GPU, or torch would split its rows."""
    alone = config.launch.processes == 1 and config.launch.engine == "local"
    if has_gpus():
        seen = os.environ.get("CUDA_VISIBLE_DEVICES") or "0"
        return {"CUDA_VISIBLE_DEVICES": seen.split(",")[0]} if alone else {}
    return {} if alone else {"ACCELERATE_USE_CPU": "true"}


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
