"""Evaluations as jobs: a child process for each, started when no run takes the device.

One at a time, behind the runs that wait: an evaluation never takes the memory that a run needs.
The child writes into the evaluation's folder; whoever looks reads it there.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO

from studio.annotation import AnnotationStore
from studio.annotation.library.preflight_rows import library_rows
from studio.annotation.library.trainable_rows import parse_library
from studio.config.job_flavors import sent_elsewhere
from studio.core.errors import ConflictError, InputError
from studio.core.paths import Workspace
from studio.data.sources.registry import LIBRARY
from studio.evaluation.evaluated_rows import RowChoice, choose_rows, chosen
from studio.evaluation.evaluation import ENDED, Evaluation
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import DIED, EvaluationStore, request_stop, update_status
from studio.launch.held_out_evaluation import begin_attempt
from studio.launch.worker_process import environment
from studio.runs import held_out_result, queue
from studio.runs.store import Run, RunStore

logger = logging.getLogger(__name__)
EVALUATOR = ("-m", "studio", "evaluator")
RUN_EVALUATOR = ("-m", "studio", "run-evaluator")


def create_evaluation(
    workspace: Workspace,
    wanted: Wanted,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    here: bool = False,
) -> Evaluation:
    """Write down an evaluation, its rows read and everything checked; nothing is computed.

    Args:
        here: This process will compute it, not a studio that takes it from the queue.

    Raises:
        InputError: Something is unknown, or the rows lack what a metric needs.
    """
    found = find_rows(workspace, wanted, columns, limit)
    request, rows = prepare_request(wanted, found, workspace)
    return EvaluationStore(workspace).create(request, rows, here=here)


def find_rows(
    workspace: Workspace, wanted: Wanted, columns: Mapping[str, str] | None, limit: int | None
) -> RowChoice:
    """Read the rows of an evaluation from where they are.

    Raises:
        DataError: They cannot be read, or there is none.
        NotFoundError: There is no such run or dataset.
    """
    spec = wanted.data.strip()
    if not spec.startswith(LIBRARY):
        split = wanted.split or None
        return choose_rows(spec, workspace, split=split, columns=columns, limit=limit)
    where = parse_library(spec)
    with closing(AnnotationStore(workspace.database_url)) as store:
        rows = library_rows(store, where.dataset or "", where)
        entries = islice(rows.entries(), limit)
        return chosen(spec, [entry.row for entry in entries], limit)


def start_child(arguments: Sequence[str], log: IO[bytes]) -> subprocess.Popen:
    """Start a process that outlives this one and writes to a log."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment(),
        start_new_session=True,
    )


def is_here(run: Run) -> bool:
    """Return whether a run trains on this machine; a job or a run of SLURM takes nobody's place."""
    try:
        return not run.status.elsewhere and not sent_elsewhere(run.config)
    except InputError:  # its run file is damaged
        return True


def run_waits(workspace: Workspace) -> bool:
    """Return whether a run of this machine is the next to be started."""
    if queue.is_paused(workspace):
        return False
    return any(is_here(run) for run in queue.waiting(RunStore(workspace).list()))


class EvaluationJobs:
    """The evaluations of a workspace that are computed by children of this studio."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = EvaluationStore(workspace)
        self._children: dict[str, subprocess.Popen] = {}

    def start(
        self,
        wanted: Wanted,
        *,
        columns: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> str:
        """Put an evaluation into the queue and return its id.

        Raises:
            InputError: It cannot be computed.
        """
        return create_evaluation(self.workspace, wanted, columns=columns, limit=limit).evaluation_id

    def resume(self, evaluation_id: str) -> None:
        """Put an evaluation that has stopped or failed into the queue again.

        Raises:
            ConflictError: It waits, goes on, or is finished.
        """
        evaluation = self.store.get(evaluation_id)
        if evaluation.status.state not in ("stopped", "failed"):
            raise ConflictError(
                f"Evaluation {evaluation.evaluation_id} is {evaluation.status.state}.",
                remedy="Only one that has stopped or failed goes on.",
            )
        update_status(self.store.paths(evaluation), state="queued", message="", remedy="")

    def stop(self, evaluation_id: str) -> None:
        """Ask an evaluation to stop; what it has answered is kept."""
        request_stop(self.store.paths(self.store.get(evaluation_id)))

    def state(self, evaluation_id: str) -> Evaluation:
        """Return an evaluation as it is now."""
        return self.store.get(evaluation_id)

    @property
    def busy(self) -> bool:
        """Whether a child of this studio computes."""
        self._reap()
        return bool(self._children)

    def step(self, device_is_free: bool, runs: Sequence[Run] = ()) -> None:
        """Look after children that ended; start what waits longest when nothing else computes.

        Args:
            runs: Those of the workspace, of which some want to be measured at their end.
        """
        self._reap()
        if not device_is_free or self._children:
            return
        statuses = self.store.statuses()
        if any(status.state == "running" for status in statuses.values()):
            return
        waiting = [name for name, status in statuses.items() if status.state == "queued"]
        if waiting:
            paths = self.workspace.evaluation(waiting[-1])
            self._launch(waiting[-1], [*EVALUATOR, str(paths.root)], paths.log)
            return
        for run in reversed(runs):
            if run.paths.evaluation.is_file() and begin_attempt(run):
                self._launch(run.run_id, [*RUN_EVALUATOR, str(run.paths.root)], run.paths.log)
                return

    def _launch(self, name: str, arguments: Sequence[str], log_file: Path) -> None:
        with log_file.open("ab") as log:
            self._children[name] = start_child(arguments, log)

    def _reap(self) -> None:
        for name, child in list(self._children.items()):
            code = child.poll()
            if code is None:
                continue
            del self._children[name]
            if self.workspace.evaluation(name).record.is_file():
                self._tell_of_death(name, code)
            elif self.workspace.run(name).config.is_file():
                held_out_result.give_up(self.workspace.run(name))

    def _tell_of_death(self, name: str, code: int) -> None:
        """Say of one that ended without saying so why; it is not started again by itself."""
        evaluation = self.store.get(name)
        if evaluation.status.state == "queued" and code == 0:
            return  # it made way for a run
        if evaluation.status.state in ENDED and evaluation.status.message != DIED:
            return
        paths = self.store.paths(evaluation)
        killed = " Often the memory ran out." if code == -9 else ""
        logger.warning("The process of evaluation %s ended with code %s.", name, code)
        update_status(
            paths,
            state="failed",
            message=f"The process ended unexpectedly (exit code {code}).{killed}",
            remedy=f"Its log is {paths.log}. What was answered is kept: go on with "
            f"python -m studio evaluate --resume {name}",
        )
