"""A model that judges in the background: one child process for a dataset, `python -m studio judge`.

It outlives the studio; what it has judged is in the library as it comes. Beside that, a small file
says which process is at it, and how the last one ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import psutil
from filelock import FileLock

from studio.annotation import AnnotationStore
from studio.core.errors import BusyError, InputError
from studio.core.paths import Workspace, read_state, write_json
from studio.core.process_identity import process_alive
from studio.evaluation.evaluated_models import ENDPOINT, EvaluatedModel
from studio.evaluation.judge import judge_name
from studio.launch.evaluation_job import start_child
from studio.launch.judge import FIELD, find_judge, pairs_waiting

State = Literal["", "running", "finished", "failed"]
LAST_BYTES = 4_000
LONGEST = 600


@dataclass(frozen=True)
class AskedJudge:
    """Who is to judge, as somebody names it.

    Attributes:
        endpoint: Address of a server; empty for a model of this machine.
        model: Its name there, or `MODEL[@RUN]`.
        key_from: Name of the environment variable with the key of the endpoint.
        limit: Most pairs now; None for all.
    """

    endpoint: str = ""
    model: str = ""
    key_from: str = ""
    limit: int | None = None


@dataclass(frozen=True)
class JudgeOutlook:
    """What a judge would do.

    Attributes:
        judge: Its name beside the labels.
        pairs: How many it would be asked now, each twice.
        what_leaves: What is sent where, in a sentence; empty where nothing is sent.
    """

    judge: str
    pairs: int
    what_leaves: str = ""


@dataclass(frozen=True)
class JudgeJob:
    """The last go of a model at a dataset.

    Attributes:
        state: Empty where there was none.
        pid, started: Of its process.
        message: How it ended, in words.
        failed: Pairs that got no verdict, by the reason.
    """

    dataset: str
    judge: str = ""
    pairs: int = 0
    state: State = ""
    pid: int = 0
    started: float = 0.0
    message: str = ""
    failed: Mapping[str, int] = field(default_factory=dict)


def outlook(
    workspace: Workspace, dataset: str, asked: AskedJudge, *, store: AnnotationStore | None = None
) -> JudgeOutlook:
    """Return what a judge would do, and say what would leave the machine; nothing is asked.

    Raises:
        InputError: There is no such judge, or the key of its endpoint is not there.
        NotFoundError: There is no such dataset.
    """
    judge = _found(workspace, asked)
    waiting = pairs_waiting(workspace, dataset, judge, store=store)
    pairs = min(waiting, asked.limit or waiting)
    endpoint = judge.endpoint
    what = f"The questions, images and answers of {pairs:,} pairs"
    return JudgeOutlook(judge_name(judge), pairs, endpoint.what_leaves(what) if endpoint else "")


def start_judge(
    workspace: Workspace, dataset: str, asked: AskedJudge, *, store: AnnotationStore | None = None
) -> JudgeJob:
    """Start a model judging in the background.

    Raises:
        InputError: It cannot be; or nothing is left for it.
        BusyError: A model is at it already.
        NotFoundError: There is no such dataset.
    """
    found = outlook(workspace, dataset, asked, store=store)
    if not found.pairs:
        raise InputError(
            f"{found.judge} has judged every pair of {dataset!r}.",
            remedy="Choose another model, or look at its figures.",
            field=FIELD,
        )
    place = _place(workspace, dataset)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".starting"), timeout=60):
        before = judge_job(workspace, dataset)
        if before.state == "running":
            raise BusyError(
                f"{before.judge} is judging {dataset!r} already.",
                remedy="Wait for its end, or stop it.",
            )
        place.with_suffix(".log").write_bytes(b"")
        with place.with_suffix(".log").open("ab") as log:
            child = start_child(_command(workspace, dataset, asked), log)
        job = JudgeJob(dataset, found.judge, found.pairs, "running", child.pid, _began(child.pid))
        write_json(place, asdict(job))
    return job


def stop_judge(workspace: Workspace, dataset: str) -> None:
    """Stop the model that judges a dataset; what it has judged is kept."""
    job = judge_job(workspace, dataset)
    if job.state == "running":
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(job.pid, signal.SIGINT)


def judge_job(workspace: Workspace, dataset: str) -> JudgeJob:
    """Return how the last go at a dataset stands."""
    place = _place(workspace, dataset)
    try:
        values = read_state(place)
        names = JudgeJob.__dataclass_fields__
        job = JudgeJob(**{name: value for name, value in values.items() if name in names})
    except (OSError, TypeError, ValueError, AttributeError):
        return JudgeJob(dataset)  # none yet, or its file was deleted with the cache
    if process_alive(job.pid, job.started):
        return job
    return _ended(job, place.with_suffix(".log"))


def going(workspace: Workspace) -> bool:
    """Return whether a model judges anything of a workspace now."""
    folder = workspace.cache / "judges"
    for place in folder.glob("*.json"):
        try:
            values = read_state(place)
            if process_alive(int(values["pid"]), float(values["started"])):
                return True
        except (OSError, TypeError, KeyError, ValueError):
            continue
    return False


def _found(workspace: Workspace, asked: AskedJudge) -> EvaluatedModel:
    endpoint = asked.endpoint.strip().removeprefix(ENDPOINT)
    judge = find_judge(
        workspace, endpoint=endpoint, model=asked.model.strip(), key_from=asked.key_from.strip()
    )
    if judge.endpoint is not None:
        judge.endpoint.key()
    return judge


def _command(workspace: Workspace, dataset: str, asked: AskedJudge) -> list[str]:
    given = {"--endpoint": asked.endpoint, "--model": asked.model, "--key-from": asked.key_from}
    options = [f"{name}={value.strip()}" for name, value in given.items() if value.strip()]
    if asked.limit is not None:
        options.append(f"--limit={asked.limit}")
    place = f"--workspace={workspace.root}"
    return ["-m", "studio", "judge", *options, "--yes", "--json", place, "--", dataset]


def _ended(job: JudgeJob, log: Path) -> JudgeJob:
    """How a go ended, by the last that its process wrote: a report, or an error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LAST_BYTES))
            lines = file.read().decode("utf-8", "replace").strip()
    except OSError:
        lines = ""
    report = _report(lines)
    if report is not None:
        failed = report.get("failed") or {}
        return replace(job, state="finished", failed=failed)
    said = lines.rpartition("\n")[2].strip()[:LONGEST]
    return replace(
        job, state="failed", message=said or "Its process ended without a word; start it again."
    )


def _report(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text[f"\n{text}".rfind("\n{\n") :])
    except ValueError:
        return None
    return found if isinstance(found, dict) and "judged" in found else None


def _began(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _place(workspace: Workspace, dataset: str) -> Path:
    digest = hashlib.sha256(dataset.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return workspace.cache / "judges" / f"{digest}.json"
