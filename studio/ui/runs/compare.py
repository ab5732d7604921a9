"""Runs side by side: what came of each, and the settings in which they differ."""

from __future__ import annotations

from html import escape
from typing import Any

from studio.config import RunConfig
from studio.config.diff import differences
from studio.core.local_time import minute
from studio.metrics import METRICS
from studio.runs import held_out_result
from studio.runs.outcome import Result, results
from studio.ui.runs.state import RunSummary
from studio.ui.shared.html import STATES, duration
from studio.ui.shared.line_charts import as_percent, number

NAMED = ("name",)
NOTHING = "–"
Row = tuple[str, list[str]]


def table(runs: list[RunSummary], labels: list[str], tones: tuple[str, ...]) -> str:
    """A column for each run, its colour over it; rows that are alike in all runs are left out."""
    heads = "".join(
        f'<th scope="col"><span class="key" style="--tone:var(--studio-{tone})">'
        f"{escape(label)}</span></th>"
        for label, tone in zip(labels, tones, strict=False)
    )
    came, differ = _outcomes(runs), _settings(runs)
    body = _rows(came) + _part("Settings that differ", len(runs)) + _rows(differ)
    if not differ:
        body += (
            f'<tr><td colspan="{len(runs) + 1}" class="quiet">None: only chance differs.</td></tr>'
        )
    return (
        f'<div class="runs-compared"><table><thead><tr><th scope="col">What came of it</th>{heads}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def spans(result: Result) -> str:
    """`2.3 → 0.41 (lowest 0.39 at step 150)`."""
    form = as_percent if result.measure.percent else number
    text = f"{form(result.before)} → {form(result.after)}"
    if result.best is None:
        return text
    word = "lowest" if result.measure.lower else "highest"
    return f"{text} ({word} {form(result.best)} at step {result.best_step:,})"


def _part(title: str, runs: int) -> str:
    return f'<tr class="part"><th scope="rowgroup" colspan="{runs + 1}">{escape(title)}</th></tr>'


def _rows(rows: list[Row]) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(title)}</th>'
        + "".join(f"<td>{escape(value)}</td>" for value in values)
        + "</tr>"
        for title, values in rows
    )


def _outcomes(runs: list[RunSummary]) -> list[Row]:
    found = [{result.measure.title: spans(result) for result in results(run.diary)} for run in runs]
    titles = dict.fromkeys(title for one in found for title in one)
    rows = [(title, [one.get(title, NOTHING) for one in found]) for title in titles]
    states = [STATES[run.state][1] for run in runs]
    steps = [f"{run.run.status.step:,} of {run.run.status.total_steps:,}" for run in runs]
    times = [run.run.status.training_seconds for run in runs]
    trained = [duration(seconds) if seconds else NOTHING for seconds in times]
    starts = [run.run.status.started for run in runs]
    began = [minute(at) if at else NOTHING for at in starts]
    times_ = [("Started", began), ("Steps", steps), ("Trained", trained)]
    return [("State", states), *times_, *rows, *_held_out(runs)]


def _held_out(runs: list[RunSummary]) -> list[Row]:
    """What each run came to on its held-out rows, with 95 % intervals."""
    measured = [held_out_result.read(run.run.paths) for run in runs]
    found = [one.metrics if one is not None else {} for one in measured]
    names = [name for name in METRICS if any(name in one for one in found)]
    return [
        (f"Held-out rows: {METRICS[name].label}", [_figure(name, one.get(name)) for one in found])
        for name in names
    ]


def _figure(name: str, figure: dict[str, float | None] | None) -> str:
    form = as_percent if METRICS[name].percent else number
    value, low, high = ((figure or {}).get(part) for part in ("value", "low", "high"))
    if value is None:
        return NOTHING
    if low is None or high is None:
        return form(value)
    return f"{form(value)} ({form(low)} to {form(high)})"


def _settings(runs: list[RunSummary]) -> list[Row]:
    configs = [run.config for run in runs]
    known = [config for config in configs if config is not None]
    paths = dict.fromkeys(
        difference.path
        for config in known[1:]
        for difference in differences(known[0], config)
        if difference.path not in NAMED
    )
    return [(path, [_value(config, path) for config in configs]) for path in paths]


def _value(config: RunConfig | None, path: str) -> str:
    if config is None:
        return NOTHING
    value: Any = config.model_dump(mode="json")
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or value == "" or value == []:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items() if item is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
