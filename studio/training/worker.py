"""The worker process of one run: `python -m studio worker RUN_DIR`.

It writes its own process id first, so that whoever looks at the run folder, the studio that
started it or one started later, can tell whether it lives. Under `accelerate launch` there are
several; only the first speaks for the run.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import time
import traceback
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from studio.config import run_file
from studio.core.errors import StudioError
from studio.core.paths import RunPaths, Workspace
from studio.core.torch_import import loading
from studio.runs.diagnostics.crash_report import oom_kills
from studio.runs.held_out_result import ask_for_evaluation
from studio.runs.status import end_run, update_status

SLURM = "SLURM_JOB_ID"


def main(run_dir: Path) -> int:
    """Run to the end; the exit code says how it went. A crash in a library is told in the log."""
    faulthandler.enable()
    paths = RunPaths(run_dir.resolve(), rank=int(os.environ.get("RANK", "0")))
    workspace = Workspace.locate(paths.root.parent.parent)
    lock = FileLock(paths.worker_lock)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        return 0
    with held:
        return _run(paths, workspace)


def _run(paths: RunPaths, workspace: Workspace) -> int:
    me = psutil.Process()
    update_status(
        paths,
        state="running",
        stage="starting",
        pid=os.getpid(),
        pid_started=me.create_time(),
        started=time.time(),
        host=platform.node() if SLURM in os.environ else "",
        message="",
        remedy="",
        field="",
        lines=[],
        cause="",
        trained="",
        pushed="",
        push_error="",
        push_remedy="",
        oom_kills=oom_kills(),
    )
    try:
        with loading():
            from studio.models.log_levels import quiet_libraries

            quiet_libraries()
            from studio.training.distributed import for_all_there_are
            from studio.training.run_training import execute

        config = for_all_there_are(run_file.load_run(paths.config), paths)
        outcome = execute(config, paths, workspace)
    except StudioError as error:
        if error.__cause__ is not None:  # what a library said, for the log
            traceback.print_exception(error)
        end_run(paths, "failed", message=error.message, remedy=error.remedy, field=error.field)
        return error.exit_code
    if outcome == "finished" and paths.rank == 0 and SLURM not in os.environ:
        ask_for_evaluation(config, paths)
    end_run(paths, outcome)
    return 0
