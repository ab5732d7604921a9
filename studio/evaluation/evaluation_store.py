"""Making, finding, reading and deleting evaluations."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import psutil
from filelock import FileLock, Timeout

from studio.core.errors import BusyError, ConflictError, InputError, NotFoundError, RunFailedError
from studio.core.paths import (
    EvaluationPaths,
    Workspace,
    building,
    can_be_path,
    read_state,
    write_json,
)
from studio.core.process_identity import process_alive
from studio.data.schema import Row
from studio.evaluation.evaluated_rows import write_rows
from studio.evaluation.evaluation import (
    AnswerLikelihoods,
    DrawnAnswers,
    Evaluation,
    EvaluationRequest,
    EvaluationStatus,
    MetricResult,
    ModelResult,
    PairedResult,
    RowAnswer,
)

logger = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
DIED = "Its process ended before it did; it can go on."
ANSWER, LIKELIHOOD, DRAWN = "answer", "likelihood", "drawn"
Answered = Mapping[tuple[str, int], RowAnswer]
Likelihoods = Mapping[tuple[str, int], AnswerLikelihoods]


class EvaluationStore:
    """The evaluations of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(
        self, request: EvaluationRequest, rows: Sequence[Row], *, here: bool = False
    ) -> Evaluation:
        """Write down what is asked for, with its rows; nothing is computed yet.

        Args:
            here: This process will compute it; a studio must not take it from the queue meanwhile.

        Raises:
            RunFailedError: The disk takes no more.
        """
        evaluation_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        paths = self.workspace.evaluation(evaluation_id)
        now = time.time()
        try:
            with building(paths.root) as folder:
                made = EvaluationPaths(folder)
                write_rows(made.rows, rows)
                write_json(made.record, {"request": asdict(request)})
                status = EvaluationStatus(created=now, updated=now)
                if here:
                    status = replace(status, state="running", **_this_process())
                write_json(made.status, asdict(status))
        except OSError as error:
            raise disk_error(paths, error) from error
        return self.get(evaluation_id)

    def get(self, evaluation_id: str) -> Evaluation:
        """Return an evaluation by its id or the unique beginning of it.

        Raises:
            NotFoundError: There is none.
            InputError: It is damaged, or several begin so.
        """
        paths = self._find(evaluation_id)
        record = read_state(paths.record)
        try:
            request = EvaluationRequest.from_json(record["request"])
            results = {name: _result(one) for name, one in (record.get("results") or {}).items()}
            versions, device = dict(record.get("versions") or {}), str(record.get("device") or "")
            notes = tuple(record.get("notes") or ())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"The evaluation {paths.evaluation_id} is damaged: {paths.record} cannot be read.",
                remedy="Delete its folder and evaluate again.",
            ) from error
        status = current_status(paths)
        return Evaluation(paths.evaluation_id, request, status, results, versions, device, notes)

    def list(self, *, drawn: bool | None = None) -> list[Evaluation]:
        """Return all evaluations that can be read, newest first.

        Args:
            drawn: Only those that write answers into the library, or only those that score.
        """
        found = []
        for name in self.ids():
            try:
                one = self.get(name)
            except InputError:
                logger.exception("Evaluation %s is passed over.", name)
                continue
            if drawn in (None, bool(one.request.draws)):
                found.append(one)
        return found

    def ids(self) -> Sequence[str]:
        """Return the ids of all evaluations, newest first."""
        folder = self.workspace.evaluations
        if not folder.is_dir():
            return []
        names = (one.name for one in folder.iterdir() if _ID.fullmatch(one.name))
        there = [name for name in names if self.workspace.evaluation(name).record.is_file()]
        return sorted(there, reverse=True)

    def statuses(self) -> dict[str, EvaluationStatus]:
        """Return how far every evaluation is, newest first, by its id; reads one small file each."""
        return {name: current_status(self.workspace.evaluation(name)) for name in self.ids()}

    def running(self) -> str:
        """Return the id of the newest evaluation that a process computes; empty for none."""
        found = (name for name, one in self.statuses().items() if one.state == "running")
        return next(found, "")

    def delete(self, evaluation_id: str) -> None:
        """Remove an evaluation that nothing computes.

        Raises:
            ConflictError: It is going on, or cannot be deleted.
        """
        paths = self._find(evaluation_id)
        if current_status(paths).state == "running":
            raise ConflictError(
                f"Evaluation {paths.evaluation_id} is going on.", remedy="Stop it first."
            )
        try:
            shutil.rmtree(paths.root)
        except OSError as error:
            raise ConflictError(
                f"Not all of evaluation {paths.evaluation_id} could be deleted: {error}.",
                remedy="See what holds its folder open, then delete it again.",
            ) from error

    def paths(self, evaluation: Evaluation) -> EvaluationPaths:
        """Return the files of an evaluation."""
        return self.workspace.evaluation(evaluation.evaluation_id)

    def _find(self, name: str) -> EvaluationPaths:
        if name and can_be_path(name) and _ID.fullmatch(name):
            exact = self.workspace.evaluation(name)
            if exact.record.is_file():
                return exact
            begun = [one for one in self.ids() if one.startswith(name)]
            if len(begun) == 1:
                return self.workspace.evaluation(begun[0])
            if begun:
                raise InputError(
                    f"{len(begun)} evaluations begin with {name!r}: {', '.join(begun[:5])}.",
                    remedy="Write more of the id.",
                )
        raise NotFoundError(
            f"There is no evaluation {name[:80]!r} in {self.workspace.root}.",
            remedy="`python -m studio evaluate --list` shows those there are.",
        )


def current_status(paths: EvaluationPaths) -> EvaluationStatus:
    """Return the status on disk; one whose process has died is stopped, and can go on."""
    values = read_state(paths.status)
    names = {one.name for one in fields(EvaluationStatus)}
    status = EvaluationStatus(**{key: value for key, value in values.items() if key in names})
    if status.state == "running" and not process_alive(status.pid, status.pid_started):
        return replace(status, state="stopped", message=DIED)
    return status


def update_status(
    paths: EvaluationPaths, *, durable: bool = True, **changes: Any
) -> EvaluationStatus:
    """Change some of the status and return the new one.

    Raises:
        RunFailedError: The disk takes no more.
    """
    status = replace(current_status(paths), updated=time.time(), **changes)
    try:
        write_json(paths.status, asdict(status), durable)
    except OSError as error:
        raise disk_error(paths, error) from error
    return status


def began(paths: EvaluationPaths, **changes: Any) -> EvaluationStatus:
    """Say that this process computes it now."""
    return update_status(
        paths, state="running", message="", remedy="", **_this_process(), **changes
    )


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "pid_started": psutil.Process().create_time()}


def hold(paths: EvaluationPaths) -> FileLock:
    """Take an evaluation for this process; release it when done.

    Raises:
        BusyError: Another process computes it.
    """
    lock = FileLock(paths.worker_lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"Evaluation {paths.evaluation_id} is going on in another process.",
            remedy="Wait for it: `python -m studio evaluate --list` says how far it is.",
        ) from None
    return lock


def request_stop(paths: EvaluationPaths) -> None:
    """Ask whoever computes an evaluation to stop after what it is at; what waits, waits no more."""
    if current_status(paths).state == "queued":
        update_status(paths, state="stopped")
    write_json(paths.control, {"command": "stop"})


def finish(
    paths: EvaluationPaths,
    results: Mapping[str, ModelResult],
    versions: Mapping[str, str],
    device: str,
    notes: Sequence[str],
) -> None:
    """Write the figures beside the request, and that it is finished.

    Raises:
        RunFailedError: The disk takes no more.
    """
    record = read_state(paths.record)
    record |= {
        "results": {name: asdict(one) for name, one in results.items()},
        "versions": dict(versions),
        "device": device,
        "notes": list(notes),
    }
    try:
        write_json(paths.record, record)
    except OSError as error:
        raise disk_error(paths, error) from error
    update_status(paths, state="finished")


def append_answers(paths: EvaluationPaths, kind: str, model: str, found: Mapping[int, Any]) -> None:
    """Append what one model said to rows, by their numbers; on the disk before this returns.

    Raises:
        RunFailedError: The disk takes no more.
    """
    lines = "".join(
        json.dumps({"kind": kind, "model": model, "row": number, **asdict(one)}, ensure_ascii=False)
        + "\n"
        for number, one in found.items()
    )
    try:
        with paths.answers.open("ab") as handle:
            if handle.tell() and not _ends_whole(paths):
                handle.write(b"\n")  # behind a line that a killed process has torn
            handle.write(lines.encode())
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise disk_error(paths, error) from error


def read_answers(paths: EvaluationPaths) -> tuple[Answered, Likelihoods]:
    """Return every answer and every likelihood so far, by model and row; torn lines are ignored."""
    answers: dict[tuple[str, int], RowAnswer] = {}
    likelihoods: dict[tuple[str, int], AnswerLikelihoods] = {}
    for values in _lines(paths):
        key, kind = (values.pop("model", ""), values.pop("row", -1)), values.pop("kind", "")
        try:
            if kind == ANSWER:
                answers.setdefault(key, RowAnswer(**values))
            elif kind == LIKELIHOOD:
                totals, tokens = tuple(values.pop("totals")), tuple(values.pop("tokens"))
                likelihoods.setdefault(key, AnswerLikelihoods(totals, tokens, **values))
        except (TypeError, KeyError):
            logger.warning("A line of %s is passed over.", paths.answers, exc_info=True)
    return answers, likelihoods


def read_drawn(paths: EvaluationPaths) -> dict[tuple[str, int], DrawnAnswers]:
    """Return every row's drawn answers so far, by model and row; torn lines are ignored."""
    found: dict[tuple[str, int], DrawnAnswers] = {}
    for values in _lines(paths):
        key = (values.get("model", ""), values.get("row", -1))
        if values.get("kind") != DRAWN:
            continue
        try:
            answers = tuple(RowAnswer(**one) for one in values["answers"])
            found.setdefault(key, DrawnAnswers(answers, str(values.get("reason", ""))))
        except (TypeError, KeyError):
            logger.warning("A line of %s is passed over.", paths.answers, exc_info=True)
    return found


def disk_error(paths: EvaluationPaths, error: OSError) -> RunFailedError:
    """Return what is said when a file of an evaluation cannot be written."""
    name = paths.evaluation_id
    return RunFailedError(
        f"Evaluation {name} cannot be written to {paths.root.parent}: {error.strerror or error}.",
        remedy="Make room; what was answered so far is kept. Go on with: "
        f"python -m studio evaluate --resume {name}",
    )


def _lines(paths: EvaluationPaths) -> Iterable[dict[str, Any]]:
    try:
        content = paths.answers.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict):
            yield values


def _ends_whole(paths: EvaluationPaths) -> bool:
    with paths.answers.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"


def _result(values: dict[str, Any]) -> ModelResult:
    return ModelResult(
        metrics={name: MetricResult(**one) for name, one in values["metrics"].items()},
        paired={name: PairedResult(**one) for name, one in values["paired"].items()},
        empty=tuple(values["empty"]),
        cut=values["cut"],
        failed=values["failed"],
        sentences=tuple(values["sentences"]),
    )
