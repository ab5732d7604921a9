"""Making, finding and listing runs."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from dataclasses import dataclass
from functools import cached_property

from studio.config import RunConfig, files
from studio.errors import ConflictError, NotFoundError
from studio.paths import RunPaths, Workspace
from studio.runs import checkpoints
from studio.runs.events import EventLog
from studio.runs.status import RunStatus, State, process_alive, read_status, write_status

STALLED_AFTER = 180.0


@dataclass(frozen=True)
class Run:
    """A run as found on disk."""

    paths: RunPaths
    status: RunStatus

    @property
    def run_id(self) -> str:
        return self.paths.run_id

    @cached_property
    def config(self) -> RunConfig:
        return files.load(self.paths.config)

    @property
    def alive(self) -> bool:
        """Whether its worker process exists; one on another machine is believed to."""
        status = self.status
        return status.active and (status.elsewhere or process_alive(status.pid, status.pid_started))

    @property
    def stalled(self) -> bool:
        """Whether the worker lives but has given no sign, not even in its log, for three minutes."""
        if not self.status.active or time.time() - self.status.updated <= STALLED_AFTER:
            return False
        return time.time() - _written(self.paths) > STALLED_AFTER and self.alive

    @property
    def has_adapter(self) -> bool:
        return checkpoints.has_adapter(self.paths)


class RunStore:
    """The runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(self, config: RunConfig, state: State = "queued") -> Run:
        """Make the folder of a new run; only a `queued` one is taken by a supervisor."""
        run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{_slug(config.name)}-{secrets.token_hex(2)}"
        paths = self.workspace.run(run_id)
        paths.root.mkdir(parents=True)
        files.save(config, paths.config)
        EventLog(paths.events).append("stage", stage="queued")
        write_status(paths, RunStatus(state=state, updated=time.time()))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """The run `run_id`.

        Raises:
            NotFoundError: There is none of that id.
        """
        paths = self.workspace.run(run_id)
        if not _is_id(run_id) or not paths.config.is_file():
            raise NotFoundError(
                f"There is no run {run_id!r} in {self.workspace.root}.",
                remedy="`python -m studio runs list` shows those there are.",
            )
        return Run(paths, read_status(paths))

    def list(self) -> list[Run]:
        """All runs, newest first."""
        if not self.workspace.runs.is_dir():
            return []
        names = sorted((folder.name for folder in self.workspace.runs.iterdir()), reverse=True)
        return [
            Run(self.workspace.run(name), read_status(self.workspace.run(name)))
            for name in names
            if self.workspace.run(name).config.is_file()
        ]

    def delete(self, run_id: str) -> None:
        """Remove a run that is not active, with everything in its folder."""
        run = self.get(run_id)
        if run.alive:
            raise ConflictError(f"Run {run_id} is still going on.", remedy="Stop it first.")
        shutil.rmtree(run.paths.root)


def _written(paths: RunPaths) -> float:
    return paths.log.stat().st_mtime if paths.log.is_file() else 0.0


def _is_id(run_id: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id) is not None


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "run"
