"""A run on Hugging Face Jobs: what is sent, sending it, and following it.

The run goes as the script of `studio.services.eject` with its rows, uploaded to a private dataset
repository that the job mounts. The job uploads what it trained to a private model repository. A
local process follows the job, writes its losses and its log into the run folder and fetches the
weights at the end, so that it looks like any other run.
"""

from __future__ import annotations

import ast
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from huggingface_hub import HfApi, JobInfo, Volume
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from studio.errors import InputError, NotFoundError, RunFailedError, StudioError
from studio.paths import RunPaths, Workspace, read_json, write_json
from studio.runs import control
from studio.runs.events import EventLog, read_events
from studio.runs.status import update_status
from studio.runs.store import Run, RunStore
from studio.services.launching import JOBS_ENGINE
from studio.services.remote_files import bring_back, pack

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
MOUNT = "/run"
TOKEN = "HF_TOKEN"
POLL = 5.0
DONE = {"COMPLETED": "finished", "CANCELED": "stopped", "ERROR": "failed", "DELETED": "stopped"}


@dataclass(frozen=True)
class Job:
    """What would be sent.

    Attributes:
        repository: Private dataset repository for script and rows.
        files: What goes into it, the script first.
        output: Private model repository for what was trained.
        secrets: Names of environment variables whose values the job is given.
    """

    namespace: str
    repository: str
    files: list[Path]
    output: str
    image: str
    command: list[str]
    flavor: str
    timeout: str
    secrets: list[str]
    labels: dict[str, str]

    @property
    def folder(self) -> Path:
        """The local folder that is uploaded."""
        return self.files[0].parent

    def to_json(self) -> dict[str, Any]:
        """Exactly what would be sent, with the names of secrets in place of their values."""
        return {
            "upload": {
                "repository": self.repository,
                "private": True,
                "files": {
                    str(path.relative_to(self.folder)): path.stat().st_size for path in self.files
                },
            },
            "output": {"repository": self.output, "private": True},
            "job": {
                "namespace": self.namespace,
                "dockerImage": self.image,
                "command": self.command,
                "flavor": self.flavor,
                "timeout": self.timeout,
                "secrets": self.secrets,
                "labels": self.labels,
                "volumes": [{"dataset": self.repository, "mountPath": MOUNT}],
            },
        }


def build_job(run: Run, workspace: Workspace, namespace: str) -> Job:
    """Write the run's files and say what would be sent; nothing leaves the machine.

    Raises:
        InputError: The run is not for Hugging Face Jobs, or the job could not give back what it
            trained.
    """
    launch = run.config.launch
    if not launch.engine.startswith(JOBS_ENGINE):
        raise InputError(
            f"Run {run.run_id} is for {launch.engine}.",
            remedy="Set launch.engine to hf-jobs:<flavor>, for example hf-jobs:a10g-small.",
            field="launch.engine",
        )
    if TOKEN not in launch.secrets:
        raise InputError(
            f"Without {TOKEN} the job cannot upload what it trained.",
            remedy=f"Add {TOKEN} to launch.secrets.",
            field="launch.secrets",
        )
    files = pack(run, workspace, run.paths.root / "job", MOUNT)
    repository = f"{namespace}/studio-{run.run_id}"
    return Job(
        namespace=namespace,
        repository=repository,
        files=files,
        output=repository,
        image=IMAGE,
        command=["bash", "-c", _shell(files[0], launch.processes, repository)],
        flavor=launch.engine.removeprefix(JOBS_ENGINE),
        timeout=launch.timeout,
        secrets=list(launch.secrets),
        labels={"name": run.run_id, "studio-run": run.run_id},
    )


def _shell(script: Path, processes: int, output: str) -> str:
    """Train, then upload what was trained; the repository is there already."""
    python = ["python"]
    if processes > 1:
        python = ["accelerate", "launch", "--num_processes", str(processes)]
    packages = [option for name in _packages(script) for option in ("--with", name)]
    train = ["uv", "run", *packages, *python, f"{MOUNT}/{script.name}"]
    upload = ["uv", "run", "--with", "huggingface_hub", "hf", "upload", output, "out/adapter", "."]
    return f"cd /tmp && {shlex.join(train)} && {shlex.join(upload)}"


def _packages(script: Path) -> list[str]:
    line = next(
        line for line in script.read_text(encoding="utf-8").splitlines() if "pip install" in line
    )
    return [*line.split("pip install", 1)[1].split(), "accelerate", "pillow"]


def submit(job: Job, api: HfApi) -> JobInfo:
    """Upload and start.

    Raises:
        InputError: A secret is not set here.
        RunFailedError: The hub refused; the message is its own.
    """
    missing = [name for name in job.secrets if not os.environ.get(name)]
    if missing:
        raise InputError(
            f"The environment variable {missing[0]} is not set here, so the job cannot be given it.",
            remedy=f"Set it, or take {missing[0]} out of launch.secrets.",
            field="launch.secrets",
        )
    try:
        api.create_repo(job.repository, repo_type="dataset", private=True, exist_ok=True)
        api.create_repo(job.output, private=True, exist_ok=True)
        api.upload_folder(repo_id=job.repository, repo_type="dataset", folder_path=job.folder)
        return api.run_job(
            image=job.image,
            command=job.command,
            flavor=job.flavor,
            timeout=job.timeout,
            secrets={name: os.environ[name] for name in job.secrets},
            labels=job.labels,
            volumes=[Volume(type="dataset", source=job.repository, mount_path=MOUNT)],
            namespace=job.namespace,
        )
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:
        raise RunFailedError(
            f"Hugging Face refused the job: {str(error).splitlines()[0]}",
            remedy="Check `hf auth whoami`, the flavor and the billing of the account.",
            field="launch.engine",
        ) from error


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
        outcome, message = _watch(paths, api, job_id, namespace)
        if outcome == "finished":
            _fetch(workspace, paths, api, namespace)
    except StudioError as error:
        _end(paths, "failed", message=error.message, remedy=error.remedy, field=error.field)
        return error.exit_code
    _end(paths, outcome, message=message)
    return 0 if outcome == "finished" else 1


def _fetch(workspace: Workspace, paths: RunPaths, api: HfApi, namespace: str) -> None:
    """The weights; a run that trained well has not failed without them."""
    EventLog(paths.events).append("stage", stage="fetching")
    update_status(paths, stage="fetching")
    run = RunStore(workspace).get(paths.run_id)
    try:
        bring_back(run, api, f"{namespace}/studio-{run.run_id}")
    except RunFailedError as error:
        EventLog(paths.events).append("warning", message=error.message, remedy=error.remedy)


def _job_of(run: Run, workspace: Workspace, api: HfApi) -> tuple[str, str]:
    known = read_json(run.paths.root / "job.json")
    if known is not None and known["attempt"] == run.status.attempt:
        return known["id"], known["namespace"]
    try:
        namespace = api.whoami()["name"]
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:
        raise NotFoundError(
            "You are not logged in to Hugging Face.", remedy="Run `hf auth login`."
        ) from error
    job = submit(build_job(run, workspace, namespace), api)
    found = {"id": job.id, "namespace": namespace, "url": job.url, "attempt": run.status.attempt}
    write_json(run.paths.root / "job.json", found)
    EventLog(run.paths.events).append("changed", message=f"Submitted as job {job.id}: {job.url}")
    return job.id, namespace


def _watch(paths: RunPaths, api: HfApi, job_id: str, namespace: str) -> tuple[str, str]:
    update_status(paths, stage="waiting")
    log = _JobLog(paths, RunStore(Workspace(paths.root.parent.parent)).get(paths.run_id))
    while True:
        if control.requested(paths) in ("stop", "stop_now"):
            control.request(paths, "none")
            api.cancel_job(job_id=job_id, namespace=namespace)
        info = api.inspect_job(job_id=job_id, namespace=namespace)
        stage = str(getattr(info.status.stage, "value", info.status.stage))
        if stage not in ("SCHEDULING", "UPDATING"):
            log.take(list(api.fetch_job_logs(job_id=job_id, namespace=namespace, follow=False)))
        if stage in DONE:
            return DONE[stage], info.status.message or ""
        update_status(paths, stage="training" if stage == "RUNNING" else "waiting")
        time.sleep(POLL)


class _JobLog:
    """Copies what is new of a job's log into the run's, and its losses into the diary."""

    def __init__(self, paths: RunPaths, run: Run) -> None:
        self.paths = paths
        self.events = EventLog(paths.events)
        self.every = run.config.schedule.log_every
        self.lines = 0
        kinds = [event.type for event in read_events(paths.events).events]
        self.told = sum(kind in ("metrics", "evaluation") for kind in kinds)

    def take(self, lines: list[str]) -> None:
        """All lines of the job so far."""
        with self.paths.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{line.rstrip()}\n" for line in lines[self.lines :])
        self.lines = max(self.lines, len(lines))
        found = list(metrics_in(lines, self.every))
        for step, values in found[self.told :]:
            kind = "evaluation" if any(key.startswith("eval_") for key in values) else "metrics"
            self.events.append(kind, step=step, **values)
            update_status(self.paths, step=step)
        self.told = max(self.told, len(found))


def metrics_in(lines: list[str], every: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and numbers of the lines a trainer printed (`{'loss': '1.2', …}`, each `every` steps)."""
    step = 0
    for line in lines:
        values = _numbers(line)
        if values and "train_runtime" not in values:
            step += every * ("loss" in values)
            yield step, values


def _numbers(line: str) -> dict[str, float]:
    if not line.startswith("{"):
        return {}
    try:
        return {str(key): float(value) for key, value in ast.literal_eval(line.strip()).items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        return {}


def _end(paths: RunPaths, state: Any, **why: str) -> None:
    EventLog(paths.events).append(state, **why)
    update_status(paths, state=state, stage="", ended=time.time(), **why)
