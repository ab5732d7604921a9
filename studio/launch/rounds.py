"""Rounds: answers of a model's own → labels → training → evaluation → match → decision, again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.annotation import AnnotationStore
from studio.config.round import settings_of
from studio.core.errors import ConflictError, InputError
from studio.core.paths import Workspace
from studio.evaluation.evaluated_models import BASE, find_model
from studio.launch.round_state import RoundView, look_at_round
from studio.launch.round_store import LONGEST_NAME, Round, RoundStore
from studio.runs.decisions import accepted_run
from studio.runs.run_names import find_run
from studio.runs.store import RunStore

__all__ = ["advice", "next_round", "start_round"]


def start_round(
    workspace: Workspace,
    name: str,
    values: Mapping[str, Any],
    *,
    template: str = "",
    start: str = "",
    who: str = "",
) -> Round:
    """Begin the first of several rounds; nothing is computed.

    Args:
        values: Settings of `RoundSettings`, on top of those of the template.
        start: What the model begins as: `base`, or a run; empty: the run accepted last, else the
            base.

    Raises:
        InputError: A setting or a name cannot be used; `field` names it.
        RunFailedError: The disk takes no more.
    """
    settings = settings_of(values, template)
    called = name.strip() or template or "round"
    if len(called) > LONGEST_NAME or not called.isprintable():
        raise InputError(
            f"The name of a round has at most {LONGEST_NAME} printable characters.",
            remedy="Shorten it.",
            field="name",
        )
    if settings.goal == settings.data:
        raise InputError(
            "The rows of the goal are those that are trained on: nothing could be told from them.",
            remedy="Name rows that are held out.",
            field="goal",
        )
    if settings.known and settings.known == settings.goal:
        raise InputError(
            "The rows to keep are those of the goal.",
            remedy="Name other rows, or leave the field empty.",
            field="known",
        )
    begun = _start(workspace, settings.model, start)
    made = Round("", called, settings, start=begun, template=template, who=who)
    return RoundStore(workspace).create(made)


def next_round(
    workspace: Workspace,
    before: Round,
    values: Mapping[str, Any] | None = None,
    *,
    who: str = "",
    store: AnnotationStore | None = None,
) -> Round:
    """Begin the round after a decided one, with its settings and from the accepted model.

    One that was begun already is returned as it is.

    Args:
        values: Settings that are to be others.
        store: The store that this process has open; None: one is opened.

    Raises:
        ConflictError: Nothing was decided about its run.
        InputError: A setting cannot be used.
    """
    rounds = RoundStore(workspace)
    with rounds.working(before):
        if (there := rounds.after(before)) is not None:
            return there
        view = look_at_round(workspace, before, store)
        if view.decision is None:
            raise ConflictError(
                f"{before.title} is not decided yet: the next one starts from what is accepted.",
                remedy="Take its steps, then accept its run or roll it back.",
            )
        known = before.settings.model_dump(mode="json")
        changed = {"seed": before.settings.seed + 1, **(values or {})}
        settings = settings_of({**known, **changed})
        start = _start(workspace, settings.model, "")
        accepted = view.decision.verdict == "accepted"
        # Another run may have been accepted since; without any it begins where this one did.
        begun = start or ("" if accepted else before.start)
        return rounds.create(
            Round(
                "",
                before.name,
                settings,
                number=before.number + 1,
                before=before.round_id,
                start=begun,
                template=before.template,
                who=who,
            )
        )


def advice(view: RoundView) -> str:
    """Say what the figures speak for: whether to accept the run of a round, and why."""
    if view.run is None or view.goal is None:
        return ""
    if view.warnings:
        return f"Against accepting it: {'; '.join(view.warnings)}."
    unknown = [one.sentence for one in view.guards if one.holds is None]
    gain = view.gains[0].sentence if view.gains else ""
    if _better(view):
        said = f"For accepting it: {gain}."
    elif _cannot_tell(view):
        said = f"Too few rows of the goal to tell whether it is better: {gain}."
    else:
        said = f"No better on the goal: {gain}."
    return " ".join([said, *unknown])


def speaks_for_it(view: RoundView) -> bool:
    """Return whether the goal got better and everything else that is known holds."""
    return bool(_better(view) and not view.warnings)


def _better(view: RoundView) -> bool:
    gain = view.gains[0] if view.gains else None
    if gain is None or gain.after is None or gain.last is None:
        return False
    return gain.after > gain.last and not _cannot_tell(view)


def _cannot_tell(view: RoundView) -> bool:
    """Return whether its difference from the base may be chance."""
    gain = view.gains[0] if view.gains else None
    if view.goal is None or gain is None:
        return True
    pair = view.goal.results[view.run_id].paired.get(gain.metric)
    return pair is None or pair.verdict == "cannot tell"


def _start(workspace: Workspace, model: str, start: str) -> str:
    """The run that a round begins with; empty for the base."""
    if start == BASE:
        return ""
    if start:
        run = find_run(RunStore(workspace), start, "start")
        find_model(RunStore(workspace), model, run.run_id)
        return run.run_id
    accepted = accepted_run(workspace, model)
    return accepted.run if accepted else ""
