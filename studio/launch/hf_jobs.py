"""A run as a Hugging Face job: what is sent, and sending it.

The run goes as the script of `studio.launch.training_script` with its rows, uploaded to a private dataset
repository that the job mounts. The job uploads what it trained to a private model repository.
`studio.launch.hf_job_monitor` does the rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, JobInfo, Volume, get_token
from huggingface_hub.errors import HTTPError, LocalTokenNotFoundError

from studio.config.adapter import MOVES_WEIGHTS
from studio.config.job_flavors import flavor_of, sent_elsewhere
from studio.core.errors import InputError, RunFailedError, first_line
from studio.core.paths import Workspace
from studio.launch.hf_job_script import job_script
from studio.launch.remote_files import pack
from studio.launch.training_script import packages, recipe_of
from studio.runs.store import Run

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
MOUNT = "/data"
TOKEN = "HF_TOKEN"
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
                "body": {
                    "dockerImage": self.image,
                    "command": self.command,
                    "arguments": [],
                    "environment": ENVIRONMENT,
                    "flavor": self.flavor,
                    "secrets": {name: f"<the value of {name}>" for name in self.secrets},
                    "timeoutSeconds": int(self.timeout[:-1]) * SECONDS[self.timeout[-1]],
                    "labels": self.labels,
                    "volumes": [{"type": "dataset", "source": self.repository, "mountPath": MOUNT}],
                },
            },
        }


def build_job(run: Run, workspace: Workspace, namespace: str) -> Job:
    """Write the run's files and say what would be sent; nothing leaves the machine.

    Raises:
        InputError: The run is not for Hugging Face Jobs, or the job could not give back what it
            trained.
    """
    launch = run.config.launch
    if not sent_elsewhere(run.config):
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
    shell = files[0].parent / "job.sh"
    shell.write_text(_shell(run, files[0].name, repository), encoding="utf-8")
    return Job(
        namespace=namespace,
        repository=repository,
        files=[*files, shell],
        output=repository,
        image=IMAGE,
        command=["bash", f"{MOUNT}/{shell.name}"],
        flavor=flavor_of(launch.engine),
        timeout=launch.timeout,
        secrets=list(launch.secrets),
        labels={"name": run.run_id, "studio-run": run.run_id},
    )


def _shell(run: Run, script: str, repository: str) -> str:
    adapter = run.config.adapter
    fresh = adapter is not None and adapter.continue_from is None
    return job_script(
        f"{MOUNT}/{script}",
        packages(recipe_of(run)),
        run.config.launch.processes,
        repository,
        checkpoints=not (fresh and adapter is not None and adapter.init in MOVES_WEIGHTS),
    )


def submit(job: Job, api: HfApi) -> JobInfo:
    """Upload and start.

    Raises:
        InputError: A secret is not set here.
        RunFailedError: The hub refused; the message is its own.
    """
    secrets = {name: _secret(name, api) for name in job.secrets}
    try:
        api.create_repo(job.repository, repo_type="dataset", private=True, exist_ok=True)
        api.create_repo(job.output, private=True, exist_ok=True)
        api.upload_folder(repo_id=job.repository, repo_type="dataset", folder_path=job.folder)
        return api.run_job(
            image=job.image,
            command=job.command,
            env=ENVIRONMENT,
            flavor=job.flavor,
            timeout=job.timeout,
            secrets=secrets,
            labels=job.labels,
            volumes=[Volume(type="dataset", source=job.repository, mount_path=MOUNT)],
            namespace=job.namespace,
        )
    except (HTTPError, LocalTokenNotFoundError) as error:
        raise RunFailedError(
            f"Hugging Face did not take the job: {first_line(error)}",
            remedy="Check the network, `hf auth whoami`, the flavor and the billing of the account.",
            field="launch.engine",
        ) from error


def unset(names: list[str], api: HfApi) -> list[str]:
    """Those of the secrets that this machine has no value for."""
    return [name for name in names if not _value(name, api)]


def _value(name: str, api: HfApi) -> str | None:
    value = os.environ.get(name)
    if not value and name == TOKEN:  # a login with `hf auth login` will do
        value = api.token if isinstance(api.token, str) else get_token()
    return value


def _secret(name: str, api: HfApi) -> str:
    value = _value(name, api)
    if not value:
        raise InputError(
            f"The environment variable {name} is not set here, so the job cannot be given it.",
            remedy=f"Set it, or take {name} out of launch.secrets.",
            field="launch.secrets",
        )
    return value
