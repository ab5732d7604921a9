"""Following a run that is trained as a job elsewhere, so that it looks like any other run.

A local process sends the job, writes its losses and its log into the run's folder, and fetches the
weights at the end. It may die, or lose the network for hours: the job goes on, and is found again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
from filelock import FileLock, Timeout
from huggingface_hub import HfApi, JobInfo
from huggingface_hub.errors import HTTPError, LocalTokenNotFoundError

from studio.core.errors import NotFoundError, RunFailedError, StudioError, first_line
from studio.core.logs import log_told
from studio.core.paths import RunPaths, Workspace, read_json, write_json
from studio.launch.hf_job_log import JobLog
from studio.launch.hf_job_script import EVERY
from studio.launch.hf_jobs import build_job, submit
from studio.launch.remote_files import bring_back, steps_of
from studio.runs.control import command_file
from studio.runs.diagnostics.crash_report import relevant, tail
from studio.runs.event_log import EventLog
from studio.runs.status import State, end_run, update_status
from studio.runs.store import Run, RunStore

POLL = 5.0
LOOK = 0.5
PATIENCE = 24 * 3600.0
PASSING = (408, 429, 500, 502, 503, 504)
DONE: dict[str, State] = {
    "COMPLETED": "finished",
    "CANCELED": "stopped",
    "ERROR": "failed",
    "DELETED": "stopped",
}
GONE = ("CANCELED", "ERROR", "DELETED")
Answer = TypeVar("Answer")


def follow_remote(run_dir: Path, api: HfApi | None = None) -> int:
    """Submit the run in `run_dir` once, then follow it to its end; the exit code says how it went.

    Started again after it died, it finds its job by the id it wrote down and starts no second.
    """
    paths = RunPaths(run_dir.resolve())
    workspace = Workspace.locate(paths.root.parent.parent)
    try:
        with FileLock(paths.worker_lock).acquire(timeout=0):
            return _follow(paths, workspace, api or HfApi())
    except Timeout:
        return 0


def _follow(paths: RunPaths, workspace: Workspace, api: HfApi) -> int:
    update_status(
        paths,
        state="running",
        stage="submitting",
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
        started=time.time(),
    )
    try:
        run = RunStore(workspace).get(paths.run_id)
        job_id, namespace = _job_of(run, workspace, api)
        update_status(paths, total_steps=steps_of(run))
        outcome, why = _watch(run, api, job_id, namespace)
        _fetch(run, api, f"{namespace}/studio-{run.run_id}", outcome)
    except StudioError as error:
        log_told(error)
        end_run(paths, "failed", message=error.message, remedy=error.remedy, field=error.field)
        return error.exit_code
    end_run(paths, outcome, **why)
    return 0 if outcome == "finished" else 1


def _fetch(run: Run, api: HfApi, repository: str, outcome: str) -> None:
    """The weights; a run that trained well has not failed without them, others may have none."""
    events = EventLog(run.paths.events)
    events.append("stage", stage="fetching")
    update_status(run.paths, stage="fetching")
    try:
        bring_back(run, api, repository)
    except RunFailedError as error:
        log_told(error)
        if outcome == "finished":
            events.append("warning", message=error.message, remedy=error.remedy)
        return
    if outcome != "finished":
        events.append("changed", message="The weights the job uploaded last were fetched.")


def _job_of(run: Run, workspace: Workspace, api: HfApi) -> tuple[str, str]:
    """Id and account of the run's job: the one it has, or a new one where that has ended badly."""
    known = read_json(run.paths.root / "job.json")
    if known is not None:
        same = known["attempt"] == run.status.attempt
        if same or _stage(_look(run.paths, api, known["id"], known["namespace"])) not in GONE:
            return known["id"], known["namespace"]
    try:
        namespace = api.whoami()["name"]
    except LocalTokenNotFoundError as error:
        raise NotFoundError(
            "There is no Hugging Face token on this machine, so nothing was sent.",
            remedy="Run `hf auth login`, or set HF_TOKEN where the studio is started; then start "
            "the run again.",
        ) from error
    except HTTPError as error:
        raise NotFoundError(
            f"Hugging Face does not know you: {first_line(error)}",
            remedy="Run `hf auth login` with a token that is valid, or check the network.",
        ) from error
    job = submit(build_job(run, workspace, namespace), api)
    found = {"id": job.id, "namespace": namespace, "url": job.url, "attempt": run.status.attempt}
    write_json(run.paths.root / "job.json", found)
    EventLog(run.paths.events).append("changed", message=f"Submitted as job {job.id}: {job.url}")
    return job.id, namespace


def _watch(run: Run, api: HfApi, job_id: str, namespace: str) -> tuple[State, dict[str, Any]]:
    """How the job ended, and what is to be said of it."""
    paths, log = run.paths, JobLog(run)
    update_status(paths, stage="waiting")
    here: dict[str, Any] = {"job_id": job_id, "namespace": namespace}
    while True:
        if _asked_to_stop(paths):
            _cancel(paths, lambda: api.cancel_job(**here))
        _answer_save(paths)
        info = _look(paths, api, job_id, namespace)
        stage = _stage(info)
        if stage not in ("SCHEDULING", "UPDATING") and not _asked_to_stop(paths):
            log.take(_patiently(paths, lambda: list(api.fetch_job_logs(**here, follow=False))))
        if stage in DONE:
            return DONE[stage], _reason(paths, info, stage)
        update_status(paths, stage="training" if stage == "RUNNING" else "waiting")
        _pause(paths, POLL)


def _answer_save(paths: RunPaths) -> None:
    """Nobody can reach into a job; it uploads its newest checkpoint by itself."""
    if command_file.requested(paths) == "save":
        command_file.request(paths, "none")
        message = f"A job saves by itself: its newest weights are uploaded every {EVERY // 60} min."
        EventLog(paths.events).append("changed", message=message)


def _cancel(paths: RunPaths, cancel: Callable[[], None]) -> None:
    try:
        _patiently(paths, cancel)
    except RunFailedError as error:  # it may have ended meanwhile, which is seen next
        log_told(error)
        EventLog(paths.events).append("warning", message=error.message, remedy=error.remedy)
    command_file.request(paths, "none")


def _look(paths: RunPaths, api: HfApi, job_id: str, namespace: str) -> JobInfo:
    return _patiently(paths, lambda: api.inspect_job(job_id=job_id, namespace=namespace))


def _stage(info: JobInfo) -> str:
    return str(getattr(info.status.stage, "value", info.status.stage))


def _reason(paths: RunPaths, info: JobInfo, stage: str) -> dict[str, Any]:
    if DONE[stage] != "failed":
        return {"message": info.status.message or ""}
    return {
        "message": info.status.message or "The job failed.",
        "remedy": "The log says why. A job that ran out of time needs a longer launch.timeout.",
        "lines": relevant([line for line in tail(paths) if line.strip()]),
    }


def _asked_to_stop(paths: RunPaths) -> bool:
    return command_file.requested(paths) in ("stop", "stop_now")


def _pause(paths: RunPaths, seconds: float) -> None:
    """Wait, but no longer than until a wish to stop comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not _asked_to_stop(paths):
        time.sleep(min(LOOK, seconds))


def _patiently(paths: RunPaths, ask: Callable[[], Answer]) -> Answer:
    """The hub's answer; asked again while it cannot be reached.

    Raises:
        RunFailedError: It says no, or is not reached for a day. The job may go on.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (HTTPError, OSError) as error:
            response = getattr(error, "response", None)
            passing = response is None or response.status_code in PASSING
            if not passing or time.monotonic() > end:
                raise RunFailedError(
                    f"Hugging Face tells nothing of the job any more: {first_line(error)}",
                    remedy="The job may be going on: resume the run to follow it again, or look "
                    "at https://huggingface.co/settings/jobs.",
                ) from error
        update_status(paths, stage="waiting for Hugging Face")
        time.sleep(POLL)
