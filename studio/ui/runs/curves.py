"""Which curves a run has, in which figures; the same for one run and for several compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from studio.core.local_time import minute
from studio.metrics import METRICS
from studio.runs.curves import Diary
from studio.ui.runs.compare import table
from studio.ui.runs.state import RunSummary
from studio.ui.shared.line_charts import ChartLook, Line, chart

MOST_COMPARED = 4
LONGEST_LABEL = 32
TONES = ("accent", "run-2", "run-3", "run-4", "run-5")
NO_CURVES = '<div class="quiet">Curves appear with the first recorded step.</div>'


@dataclass(frozen=True)
class Curve:
    """One metric in a figure; see `studio.ui.shared.line_charts.Line`."""

    metric: str
    label: str = ""
    tone: str = "accent"
    dashed: bool = False
    dots: bool = False

    def line(self, diary: Diary) -> Line:
        return Line(self.label, diary.curve(self.metric), self.tone, self.dashed, self.dots)


@dataclass(frozen=True)
class CurveFigure:
    """Curves that share an axis; exact ones have no noise that could be smoothed away."""

    title: str
    curves: tuple[Curve, ...]
    percent: bool = False
    exact: bool = False

    def look(self, look: ChartLook) -> ChartLook:
        """`look` as it is for these curves."""
        return ChartLook(0.0, look.log) if self.exact else look


def _both(metric: str) -> tuple[Curve, ...]:
    evaluation = Curve(f"eval_{metric}", "evaluation", tone="text-2", dots=True)
    return Curve(metric, "training"), evaluation


def _answers(metric: str) -> tuple[Curve, ...]:
    rejected = Curve(f"{metric}/rejected", "rejected", tone="rejected", dashed=True)
    return Curve(f"{metric}/chosen", "chosen", tone="chosen"), rejected


def _scores() -> Iterator[Curve]:
    """Every metric of generated answers that is a share; those of one kind of row differ in colour."""
    names = [name for name, metric in METRICS.items() if metric.percent and metric.of_answers]
    for place, name in enumerate(names):
        tone, again = TONES[place % len(TONES)], place >= len(TONES)
        yield Curve(f"eval_{name}", METRICS[name].label, tone=tone, dashed=again, dots=True)


FIGURES = (
    CurveFigure("Loss", _both("loss")),
    CurveFigure("Reward margin", _both("rewards/margins")),
    CurveFigure("Reward accuracy", _both("rewards/accuracies"), percent=True),
    CurveFigure("Answers to evaluation rows", tuple(_scores()), percent=True),
    CurveFigure("Rewards", _answers("rewards")),
    CurveFigure("Log-probability of an answer", _answers("logps")),
    CurveFigure("Drift from the reference, nats", (Curve("drift"),)),
    CurveFigure("Token accuracy", _both("mean_token_accuracy"), percent=True),
    CurveFigure("Answer length in probes, tokens", (Curve("answer_tokens", dots=True),)),
    CurveFigure("Learning rate", (Curve("learning_rate"),), exact=True),
    CurveFigure("Gradient norm", (Curve("grad_norm"),)),
    CurveFigure("Rows per second", (Curve("samples_per_second"),)),
    CurveFigure("Tokens per second", (Curve("tokens_per_second"),)),
    CurveFigure("Memory, GB", (Curve("memory_gb"),)),
)


def curves(summary: RunSummary, others: list[RunSummary], look: ChartLook) -> str:
    """All figures of a run; with `others`, a table and one figure per metric with a line for each.

    While a run goes on its figures are as long as it will be; then as long as it was.
    """
    before, runs = "", [summary, *others][: MOST_COMPARED + 1]
    if others:
        labels = _distinct([_short(run.name) for run in runs])
        before = table(runs, labels, TONES)
        drawn = "".join(_compared(runs, labels, look))
    else:
        diary, status = summary.diary, summary.run.status
        total = status.total_steps if status.active else 0
        drawn = "".join(
            chart(
                figure.title,
                [curve.line(diary) for curve in figure.curves],
                last_step=total,
                percent=figure.percent,
                look=figure.look(look),
            )
            for figure in FIGURES
        )
    if not drawn:
        return before + NO_CURVES
    status = summary.run.status
    day = minute(status.started or status.queued)[:10]
    said = "\n".join(map(dated, runs))
    lines = "<br>".join(map(escape, said.split("\n")))
    return (
        f'{before}<p class="quiet plots-dated">{lines}</p>'
        f'<div class="plots" data-name="{escape(summary.name)} {day}" '
        f'data-dated="{escape(said)}">{drawn}</div>'
    )


def dated(summary: RunSummary) -> str:
    """Which run it is and when it trained: `mine · 2026-11-30 10:00 to 2026-11-30 10:20`."""
    status = summary.run.status
    name = " ".join(summary.name.split())
    if not status.started:
        return f"{name} · made {minute(status.queued)}"
    until = f"to {minute(status.ended)}" if status.ended else "and still going on"
    if not status.active and not status.ended:
        until = f"to {minute(status.updated)}"
    return f"{name} · {minute(status.started)} {until}"


def _compared(runs: list[RunSummary], labels: list[str], look: ChartLook) -> list[str]:
    diaries = [run.diary for run in runs]
    charts = []
    for figure in FIGURES:
        for curve in figure.curves:
            lines = [
                Line(label, diary.curve(curve.metric), TONES[place])
                for place, (label, diary) in enumerate(zip(labels, diaries, strict=True))
            ]
            title = f"{figure.title} · {curve.label}" if curve.label else figure.title
            charts.append(chart(title, lines, percent=figure.percent, look=figure.look(look)))
    return charts


def _short(name: str) -> str:
    """Return a name that leaves room for the others in a legend."""
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip()}…"


def _distinct(names: list[str]) -> list[str]:
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]
