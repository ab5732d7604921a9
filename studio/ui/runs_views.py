"""How runs look: cards of the list, the head of the chosen one, its curves and its log."""

from __future__ import annotations

from html import escape

from studio.config import RunConfig
from studio.runs.curves import Diary
from studio.ui.plots import Line, chart
from studio.ui.runs_state import RunSummary, ago
from studio.ui.views import bar, chip, duration, empty, notice

NO_RUNS = empty("No runs yet", "Choose a preset in Train and press Start; the run shows up here.")
NO_CURVES = '<div class="quiet">Curves appear with the first recorded step.</div>'


def run_list(runs: list[RunSummary], chosen: str | None) -> str:
    """Cards, newest first; each is a button that carries its run's id."""
    if not runs:
        return NO_RUNS
    cards = "".join(_card(summary, summary.run.run_id == chosen) for summary in runs)
    return f'<div class="run-list">{cards}</div>'


def _card(summary: RunSummary, chosen: bool) -> str:
    status = summary.run.status
    progress = bar(status.progress) if status.active else ""
    facts = " · ".join(filter(None, [_method(summary.config), _model(summary.config)]))
    return (
        f'<button class="run-card" data-run="{escape(summary.run.run_id)}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{escape(summary.name)}</span>'
        f'{chip(summary.state)}<span class="facts">{escape(facts)}</span>'
        f'<span class="when">{ago(status.started or status.queued)}</span>{progress}</button>'
    )


def head(summary: RunSummary) -> str:
    """Name, state, facts, progress, and whatever went wrong."""
    return (
        f'<div class="run-head"><h2>{escape(summary.name)}</h2>{chip(summary.state)}</div>'
        f'<div class="quiet">{escape(facts(summary))}</div>'
        f"{_progress(summary)}{_outcome(summary)}{_notices(summary.diary)}"
    )


def facts(summary: RunSummary) -> str:
    """The run in one line."""
    config = summary.config
    if config is None:
        return f"{summary.run.run_id} · its run file cannot be read"
    quantization = "" if config.model.quantization == "none" else config.model.quantization.upper()
    adapter = f"LoRA rank {config.adapter.rank}" if config.adapter else "all weights"
    status = summary.run.status
    took = f"trained {duration(status.training_seconds)}" if status.training_seconds else ""
    parts = (_method(config), _model(config), quantization, adapter, config.data.source, took)
    return " · ".join(filter(None, parts))


def _progress(summary: RunSummary) -> str:
    status = summary.run.status
    if status.state == "queued":
        return '<div class="run-progress"><span>Waits for its turn.</span></div>'
    if not status.total_steps:
        stage = status.stage.capitalize() or "Starting"
        return f'<div class="run-progress">{bar(0)}<span>{escape(stage)} …</span></div>'
    words = [f"step {status.step:,} of {status.total_steps:,}"]
    if status.active:
        words.insert(0, status.stage or "training")
        if summary.seconds_left is not None:
            words.append(f"about {duration(summary.seconds_left)} left")
    line = escape(" · ".join(words))
    return f'<div class="run-progress">{bar(status.progress)}<span>{line}</span></div>'


def _outcome(summary: RunSummary) -> str:
    status = summary.run.status
    if summary.state == "stalled":
        return notice(
            "No sign of life for three minutes",
            "The worker still runs; a slow step can take that long. Stop now ends it.",
            tone="warn",
        )
    if status.state == "failed":
        where = f"Setting: {status.field}" if status.field else ""
        message, _, words = status.message.partition(" Last words: ")
        last = f"Last words: {words}" if words else ""
        return notice(message or "The run failed", status.remedy, where, last, tone="bad")
    if status.state == "stopped" and summary.diary.checkpoint:
        return notice("", f"Stopped; the checkpoint of step {summary.diary.checkpoint} is kept.")
    return ""


def _notices(diary: Diary) -> str:
    broken = "".join(
        notice(f"{name} was not a finite number at step {step}", tone="warn")
        for name, step in diary.not_finite.items()
    )
    told = "".join(
        notice("", item.message, item.remedy, tone="warn" if item.type == "warning" else "")
        for item in diary.notices[-5:]
    )
    return broken + told


def curves(summary: RunSummary) -> str:
    """Loss first; rewards, margin and accuracy for DPO; learning rate and gradient last."""
    diary, total = summary.diary, summary.run.status.total_steps
    lines = {name: diary.curve(name) for name in diary.series}

    def pair(name: str, label: str = "training") -> list[Line]:
        return [
            Line(label, lines.get(name, [])),
            Line("evaluation", lines.get(f"eval_{name}", []), tone="text-2", dots=True),
        ]

    rewards = [
        Line("chosen", lines.get("rewards/chosen", []), tone="chosen"),
        Line("rejected", lines.get("rewards/rejected", []), tone="rejected", dashed=True),
    ]
    figures = [
        chart("Loss", pair("loss"), last_step=total),
        chart("Reward margin", pair("rewards/margins"), last_step=total),
        chart("Reward accuracy", pair("rewards/accuracies"), last_step=total, percent=True),
        chart("Rewards", rewards, last_step=total),
        chart("Token accuracy", pair("mean_token_accuracy"), last_step=total, percent=True),
        chart("Learning rate", [Line("", lines.get("learning_rate", []))], last_step=total),
        chart("Gradient norm", [Line("", lines.get("grad_norm", []))], last_step=total),
    ]
    drawn = "".join(figures)
    return f'<div class="plots">{drawn}</div>' if drawn else NO_CURVES


def _method(config: RunConfig | None) -> str:
    return config.method.upper() if config else ""


def _model(config: RunConfig | None) -> str:
    return config.model.id.rstrip("/").rsplit("/", 1)[-1] if config else ""
