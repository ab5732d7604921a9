"""How the plan of a run looks: what is known at once, and what the planner found out."""

from __future__ import annotations

from html import escape

from studio.config import RunConfig
from studio.errors import FieldProblem
from studio.runs.plan import Plan, TowerPlan
from studio.ui.views import count, notice

WAITING = '<div class="quiet plan-wait">Working out what this trains …</div>'


def summary(config: RunConfig | None) -> str:
    """What follows from the settings alone."""
    if config is None:
        return '<div class="plan quiet">Fix the settings marked in the form.</div>'
    batch = config.batch
    return (
        '<div class="plan">'
        + _facts(
            ("Method", config.method.upper()),
            ("Effective batch", f"{batch.per_device} × {config.accumulation} = {batch.total}"),
            ("Accumulation", _times(config.accumulation)),
        )
        + "</div>"
    )


def _times(accumulation: int) -> str:
    return "none" if accumulation == 1 else f"{accumulation} passes a step"


def plan(found: Plan) -> str:
    """What the planner found out about model and data."""
    share = 100 * found.trainable_parameters / max(found.total_parameters, 1)
    facts = _facts(
        (
            "Trains",
            f"{count(found.trainable_parameters)} of {count(found.total_parameters)} ({share:.2g} %)",
        ),
        ("Rows", _rows(found)),
        ("Steps", f"{found.steps:,}"),
        ("Tokens a row", f"{found.tokens_median:,} (most {found.tokens_max:,})"),
        ("Device", f"{found.device} · {found.dtype}"),
    )
    notices = "".join(notice("", text, tone="warn") for text in found.warnings)
    skipped = "".join(notice("", text) for text in found.skipped)
    return f'<div class="plan">{facts}{_towers(found.towers)}</div>{notices}{skipped}'


def _rows(found: Plan) -> str:
    evaluation = f" + {found.evaluation_rows:,} to evaluate" if found.evaluation_rows else ""
    return f"{found.train_rows:,}{evaluation}"


def _towers(towers: list[TowerPlan]) -> str:
    rows = "".join(
        f"<tr><td>{escape(tower.name)}</td><td>{tower.matched:,}</td>"
        f"<td>{count(tower.trainable)}</td><td>{count(tower.total)}</td></tr>"
        for tower in towers
    )
    return (
        '<table class="towers"><thead><tr><th>Part</th><th>Modules</th><th>Trained</th>'
        f"<th>Of</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def failed(problems: list[FieldProblem], labels: dict[str, str]) -> str:
    """Every problem with its field's label, for those whose field is out of sight."""
    return "".join(
        notice(_title(problem, labels), problem.message, problem.remedy, tone="bad")
        for problem in problems
    )


def _title(problem: FieldProblem, labels: dict[str, str]) -> str:
    return labels.get(problem.field, problem.field) or "This cannot be run"


def _facts(*facts: tuple[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{rows}</dl>"
