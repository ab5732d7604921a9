"""Making, finding and listing runs."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from dataclasses import dataclass
from functools import cached_property

from filelock import FileLock

from studio.config import RunConfig, run_file
from studio.core.errors import ConflictError, NotFoundError, StudioError
from studio.core.paths import RunPaths, Workspace
from studio.core.process_identity import process_alive
from studio.runs import checkpoints
from studio.runs.decisions import ensure_not_accepted
from studio.runs.event_log import EventLog
from studio.runs.status import RunStatus, State, read_status, write_status

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
SAID_ID = 80  # characters of a run's id that an error repeats


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
        return run_file.load_run(self.paths.config)

    @property
    def known_config(self) -> RunConfig | None:
        """Its settings; None when its run file cannot be read, which the Runs tab says."""
        try:
            return self.config
        except StudioError:
            return None

    @property
    def name(self) -> str:
        """What it is called; its id when its run file cannot be read."""
        config = self.known_config
        return config.name if config else self.run_id

    @property
    def base_model(self) -> str:
        """The model it trains; empty when its run file cannot be read."""
        config = self.known_config
        return config.model.id if config else ""

    @property
    def alive(self) -> bool:
        """Whether its worker process exists; one on another machine is believed to."""
        status = self.status
        return status.active and (status.elsewhere or process_alive(status.pid, status.pid_started))

    @property
    def has_adapter(self) -> bool:
        return checkpoints.has_adapter(self.paths)


class RunStore:
    """The runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(self, config: RunConfig, state: State = "queued") -> Run:
        """Make the folder of a new run; only a `queued` one is taken by a supervisor."""
        name = re.sub(r"[^a-z0-9]+", "-", config.name.lower()).strip("-")[:40] or "run"
        run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{secrets.token_hex(2)}"
        paths = self.workspace.run(run_id)
        paths.root.mkdir(parents=True)
        run_file.save(config, paths.config)
        EventLog(paths.events).append("stage", stage="queued")
        write_status(paths, RunStatus(state=state, updated=time.time()))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """Return the run `run_id`.

        Raises:
            NotFoundError: There is none of that id.
        """
        if not is_run_id(run_id) or not (paths := self.workspace.run(run_id)).config.is_file():
            raise NotFoundError(
                f"There is no run {str(run_id)[:SAID_ID]!r} in {self.workspace.root}.",
                remedy="`python -m studio runs list` shows those there are.",
            )
        return Run(paths, read_status(paths))

    def list(self) -> list[Run]:
        """Return all runs, newest first."""
        if not self.workspace.runs.is_dir():
            return []
        names = sorted((folder.name for folder in self.workspace.runs.iterdir()), reverse=True)
        return [
            Run(self.workspace.run(name), read_status(self.workspace.run(name)))
            for name in names
            if self.workspace.run(name).config.is_file()
        ]

    def delete(self, run_id: str) -> None:
        """Remove a run that neither waits nor goes on, with everything in its folder.

        Raises:
            ConflictError: It waits or goes on, was accepted, or some of its files cannot be
                deleted.
        """
        with FileLock(self.workspace.queue_lock, timeout=30):
            run = self.get(run_id)
            ensure_not_accepted(self.workspace, run.run_id)
            if run.status.state == "queued":
                raise ConflictError(
                    f"Run {run_id} waits for its turn.", remedy="Take it off the queue first."
                )
            if run.alive or run.status.state == "starting":
                raise ConflictError(f"Run {run_id} is still going on.", remedy="Stop it first.")
            try:
                shutil.rmtree(run.paths.root)
            except OSError as error:
                raise ConflictError(
                    f"Not all of run {run_id} could be deleted: {error}.",
                    remedy="See who owns its folder and what holds it open, then delete it again.",
                ) from error


def is_run_id(run_id: object) -> bool:
    """Return whether a run can be called so; what a browser has kept may be anything."""
    return isinstance(run_id, str) and bool(_ID.fullmatch(run_id))
