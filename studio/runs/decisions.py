"""What was decided about runs: accepted or rolled back, by whom and why, on which figures.

Decisions are appended to one file of the workspace and never changed. Folding them gives, for each
base model, the accepted runs in order; the last of them is what the next round starts from.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from filelock import FileLock

from studio.core.errors import ConflictError, InputError, RunFailedError
from studio.core.paths import Workspace
from studio.runs import checkpoints
from studio.runs.status import ENDED

if TYPE_CHECKING:
    from studio.runs.store import Run

logger = logging.getLogger(__name__)
Verdict = Literal["accepted", "rolled back"]
LONGEST_REASON = 2_000
LONGEST_NAME = 200
MOST_FIGURES = 20


@dataclass(frozen=True)
class Decision:
    """One decision about one run.

    Attributes:
        run, name, model, step: What was decided about: its weights are those of this step.
        who: Who decided; empty on a studio without logins.
        at: Seconds since the epoch.
        figures: What was known then, one sentence each.
        evaluation, match: Ids of what the figures rest on; empty without one.
    """

    run: str
    verdict: Verdict
    reason: str
    model: str = ""
    name: str = ""
    step: int | None = None
    who: str = ""
    at: float = 0.0
    figures: tuple[str, ...] = ()
    evaluation: str = ""
    match: str = ""


def decide(
    workspace: Workspace,
    run: Run,
    verdict: Verdict,
    reason: str,
    *,
    who: str = "",
    figures: Iterable[str] = (),
    evaluation: str = "",
    match: str = "",
) -> Decision:
    """Write a decision down; it is on the disk before this returns.

    Raises:
        InputError: There is no reason, or it is too long.
        ConflictError: The run is going on, or has no weights to accept; or it stands already.
        RunFailedError: The disk takes no more.
    """
    said = reason.strip()
    if not said:
        raise InputError(
            "Why? A decision is kept with its reason.",
            remedy="Write a few words: whoever reads it in a month has only those.",
            field="reason",
        )
    if len(said) > LONGEST_REASON:
        raise InputError(
            f"The reason has {len(said):,} characters; {LONGEST_REASON:,} are the most.",
            remedy="Shorten it.",
            field="reason",
        )
    with FileLock(workspace.queue_lock, timeout=30):
        _ensure_decidable(workspace, run, verdict)
        found = Decision(
            run=run.run_id,
            verdict=verdict,
            reason=said,
            model=run.config.model.id,
            name=run.config.name,
            step=checkpoints.adapter_step(run.paths),
            who=who[:LONGEST_NAME],
            at=time.time(),
            figures=tuple(figures)[:MOST_FIGURES],
            evaluation=evaluation,
            match=match,
        )
        _append(workspace, found)
    return found


def decisions(workspace: Workspace) -> list[Decision]:
    """Return all decisions, oldest first; a line that cannot be read is passed over and named."""
    try:
        lines = workspace.decisions.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = [_read(line) for line in lines if line.strip()]
    if None in found:
        logger.warning("%s lines of %s cannot be read.", found.count(None), workspace.decisions)
    return [one for one in found if one is not None]


def latest(workspace: Workspace, run_id: str) -> Decision | None:
    """Return what was decided last about a run; None when nothing was."""
    return next((one for one in reversed(decisions(workspace)) if one.run == run_id), None)


def accepted_runs(found: Iterable[Decision], model: str) -> list[Decision]:
    """Return the decisions by which runs on a base model stand accepted, the current one last."""
    standing: list[Decision] = []
    for one in found:
        if one.model != model:
            continue
        standing = [other for other in standing if other.run != one.run]
        if one.verdict == "accepted":
            standing.append(one)
    return standing


def accepted_run(workspace: Workspace, model: str) -> Decision | None:
    """Return the decision on the run that the next round on a base model starts from."""
    standing = accepted_runs(decisions(workspace), model)
    return standing[-1] if standing else None


def ensure_not_accepted(workspace: Workspace, run_id: str) -> None:
    """Refuse to remove what people rely on. Raises ConflictError for an accepted run."""
    found = latest(workspace, run_id)
    if found is not None and found.verdict == "accepted":
        by = f" by {found.who}" if found.who else ""
        raise ConflictError(
            f"Run {run_id} was accepted{by}: the next round starts from it.",
            remedy="Roll it back first; the decision stays in the history either way.",
        )


def _ensure_decidable(workspace: Workspace, run: Run, verdict: Verdict) -> None:
    if run.status.state not in ENDED:
        raise ConflictError(
            f"Run {run.run_id} is {run.status.state}.", remedy="Decide when it has ended."
        )
    if verdict == "accepted" and not run.has_adapter:
        raise ConflictError(
            f"Run {run.run_id} has left no complete weights to accept.",
            remedy="Resume it, or take the weights of a checkpoint.",
        )
    known = latest(workspace, run.run_id)
    step = checkpoints.adapter_step(run.paths)
    if known is not None and (known.verdict, known.step) == (verdict, step):
        raise ConflictError(
            f"Run {run.run_id} is {verdict} already.",
            remedy=f"The reason given was: {known.reason[:200]}",
        )


def _append(workspace: Workspace, decision: Decision) -> None:
    path = workspace.decisions
    try:
        with path.open("ab+") as handle:
            if handle.tell():  # behind a line that a killed process has torn
                handle.seek(-1, os.SEEK_END)
                if handle.read(1) != b"\n":
                    handle.write(b"\n")
            handle.write(json.dumps(asdict(decision), ensure_ascii=False).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise RunFailedError(
            f"The decision cannot be written to {path}: {error.strerror or error}.",
            remedy="Make room, then decide again; nothing was changed.",
        ) from error


def _read(line: bytes) -> Decision | None:
    try:
        values: dict[str, Any] = json.loads(line)
        names = {one.name for one in fields(Decision)}
        known = {key: value for key, value in values.items() if key in names}
        known["figures"] = tuple(map(str, known.get("figures", ())))
        found = Decision(**known)
    except (ValueError, TypeError, AttributeError):
        return None
    return found if found.verdict in get_args(Verdict) else None
