"""How the plan of a run looks: what is known at once, and what the planner found out."""

from __future__ import annotations

from html import escape

from studio.config import RunConfig
from studio.core.errors import FieldProblem
from studio.runs.run_plan import Plan, Suggestion, TowerPlan
from studio.ui.shared.html import count, duration, notice
from studio.ui.train.memory_view import Measurement, memory, size, where

FRESH = "Up to date"
UPDATING = "Updating …"
FIRST = "Reading model and rows for the first plan …"
OUTDATED = "The plan below is of earlier settings: correct what is marked first."
UNPLANNED = "No plan yet."


def state_line(words: str, busy: bool = False) -> str:
    """Draw what the planner is doing; read out by screen readers when it changes."""
    kind = "plan-state busy" if busy else "plan-state"
    return f'<div class="{kind}" role="status">{escape(words)}</div>'


def starting(stage: str, seconds: float) -> str:
    """Draw how far a planner is that was just started."""
    return (
        f"Starting the planner: loading {stage} … {seconds:.0f} s. This is done once; you can go "
        "on with the form."
    )


def summary(config: RunConfig | None) -> str:
    """Draw what follows from the settings alone."""
    if config is None:
        return '<div class="plan quiet">Fix the settings marked in the form.</div>'
    batch = config.batch
    passes = "none" if config.accumulation == 1 else f"{config.accumulation} passes a step"
    return (
        '<div class="plan">'
        + _facts(
            ("Method", config.method.upper()),
            ("Effective batch", f"{batch.per_device} × {config.accumulation} = {batch.total}"),
            ("Accumulation", passes),
        )
        + "</div>"
    )


def plan(found: Plan, seen: Measurement | None = None, stale: Measurement | None = None) -> str:
    """Draw what the planner found out about model and data.

    Args:
        seen: Measured for these settings.
        stale: Measured for other settings, when there is nothing for these.
    """
    notices = "".join(notice("", text, tone="warn") for text in found.warnings)
    skipped = "".join(notice("", text) for text in found.skipped)
    measured = seen is not None or found.peak_measured is not None
    older = _stale(stale) if stale and not measured else ""
    return (
        f'<div class="plan">{memory(found, seen)}{older}{notices}'
        f"{_suggestions(found.suggestions)}{_trained(found)}{_time(found, seen)}</div>{skipped}"
    )


def _stale(stale: Measurement) -> str:
    took = "memory ran out" if stale.peak is None else size(stale.peak)
    return f'<p class="measured stale">Measured before, for {escape(stale.about)}: {took}</p>'


def _trained(found: Plan) -> str:
    share = 100 * found.trainable_parameters / max(found.total_parameters, 1)
    words = (
        f"{count(found.trainable_parameters)} of {count(found.total_parameters)} ({share:.2g} %)"
    )
    return f"<h4>What will train</h4>{_facts(('Trains', words))}{_towers(found.towers)}"


def _time(found: Plan, seen: Measurement | None) -> str:
    seconds = seen.seconds_per_step if seen else found.seconds_per_step
    evaluation = f" + {found.evaluation_rows:,} to evaluate" if found.evaluation_rows else ""
    facts = [
        ("Rows", f"{found.train_rows:,}{evaluation}"),
        *([("Answers", found.scored)] if found.scored else []),
        ("Steps", f"{found.steps:,}"),
        ("Samples seen", f"{found.steps * found.effective_batch:,}"),
        ("Tokens a row", f"{found.tokens_median:,} (most {found.tokens_max:,})"),
        ("A step", f"{seconds:.3g} s, measured" if seconds else "a dry step measures it"),
    ]
    if seconds:
        facts.append(("In all", f"about {duration(seconds * found.steps)}"))
    facts.append(("Device", f"{where(found)} · {found.precision}"))
    saved = f'<p class="fast-path">{escape(found.fast_path)}</p>' if found.fast_path else ""
    return f"<h4>Time and data</h4>{_facts(*facts)}{saved}"


def _towers(towers: list[TowerPlan]) -> str:
    rows = "".join(
        f'<tr{"" if tower.trainable else " class=none"}><th scope="row">{escape(tower.name)}</th>'
        f"<td>{tower.matched:,}</td><td>{count(tower.trainable)}</td><td>{count(tower.total)}</td>"
        f"<td>{100 * tower.trainable / max(tower.total, 1):.2g} %</td></tr>"
        for tower in towers
    )
    return (
        '<table class="towers"><thead><tr><th scope="col">Part</th><th scope="col">Modules</th>'
        '<th scope="col">Trained</th><th scope="col">Of</th><th scope="col">Share</th></tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _suggestions(offered: list[Suggestion]) -> str:
    if not offered:
        return ""
    items = "".join(
        f"<li><span><b>{escape(item.title)}</b><small>{escape(item.effect)}</small></span>"
        f'<button type="button" data-apply="{index}" '
        f'aria-label="Apply: {escape(item.title)}">Apply</button></li>'
        for index, item in enumerate(offered)
    )
    return f'<h4>What would help</h4><ul class="suggestions">{items}</ul>'


def failed(problems: list[FieldProblem], labels: dict[str, str]) -> str:
    """Every problem with its field's label, for those whose field is out of sight."""
    return "".join(
        notice(_title(problem, labels), problem.message, problem.remedy, tone="bad")
        for problem in problems
    )


def _title(problem: FieldProblem, labels: dict[str, str]) -> str:
    return labels.get(problem.field, problem.field) or "This cannot be run"


def not_ready(problems: list[FieldProblem], labels: dict[str, str]) -> str:
    """Why Start is off, in a line."""
    names = ", ".join(dict.fromkeys(_title(problem, labels) for problem in problems))
    return _reason(f"Start waits for: {names}.") if problems else ""


def elsewhere(gigabytes: float) -> str:
    """Why Start is off while the plan is for another device."""
    return _reason(
        f"This plan is for a GPU with {gigabytes:g} GB that is not here. Plan for this machine to "
        "start, or take the run file along."
    )


def _reason(words: str) -> str:
    return f'<div class="start-reason" role="status">{escape(words)}</div>'


def _facts(*facts: tuple[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{rows}</dl>"
