"""How runs look: the list, the head of the chosen one, its health, probes and checkpoints."""

from __future__ import annotations

from html import escape

from studio.runs import checkpoints, longer
from studio.runs.cards import RunCard
from studio.runs.curves import Diary, tail
from studio.runs.health import Finding
from studio.runs.outcome import results
from studio.runs.signs import forgetting
from studio.runs.status import CACHING, ENDED
from studio.ui.runs_compare import spans
from studio.ui.runs_state import BEFORE_TRAINING, RunSummary, ago
from studio.ui.views import bar, chip, code, duration, empty, notice

NO_RUNS = empty("No runs yet", "Choose a preset in Train and press Start; the run shows up here.")
NO_PROBES = (
    '<div class="quiet">No answers yet. Fixed questions are answered before training and every '
    "few steps; set probes.every in Train.</div>"
)
LOG = "Last lines of the log"
NO_CHECKPOINTS = '<div class="quiet">No complete checkpoint yet.</div>'
STAGES = {
    "starting": "Starting",
    "checking": "Checking settings and rows",
    "loading": "Loading the model",
    CACHING: "Encoding each image once",
    "probing": "Answering the probes",
    "training": "Training",
    "evaluating": "Evaluating",
    "saving": "Saving",
    "pushing": "Pushing to the hub",
    "submitting": "Submitting the job",
    "fetching": "Fetching what the job trained",
    "waiting": "Waiting for the machine",
}


USE = "Chat with and release what this checkpoint had learned; nothing is trained"
GO_ON = "Train on from this step; later checkpoints are deleted"
WISHES = {
    "save": "Saves a checkpoint after this step and goes on.",
    "stop": "Stops after this step, with a checkpoint.",
    "stop_now": "Stops after this step without a checkpoint; after ten seconds it is ended.",
}
SILENT = {
    "loading": "Loading a large model, or fetching it from the hub, can take that long.",
    "checking": "Reading many rows, or fetching them from the hub, can take that long.",
    "saving": "Writing many weights to a slow disk can take that long.",
}


def run_list(runs: list[RunSummary], chosen: str | None, paused: bool = False) -> str:
    """The queue, next run first, then other runs, newest first; buttons carry id and action."""
    if not runs:
        return NO_RUNS
    line = _in_line(runs)
    waiting = [item.run.run_id for item in line]
    rest = [item for item in runs if item.run.status.state != "queued"]
    cards = "".join(_card(item, item.run.run_id == chosen, waiting) for item in (*line, *rest))
    return f'{_queue(len(waiting), paused)}<div class="run-list">{cards}</div>'


def _in_line(runs: list[RunSummary]) -> list[RunSummary]:
    queued = [item for item in runs if item.run.status.state == "queued"]
    return sorted(queued, key=lambda item: (item.run.status.queued, item.run.run_id))


def _queue(waiting: int, paused: bool) -> str:
    if not waiting and not paused:
        return ""
    words = f"{waiting} waiting" + (" · paused" if paused else "")
    act, label = ("go", "Go on") if paused else ("pause", "Pause")
    return (
        f'<div class="run-queue"><span>Queue: {words}</span>'
        f'<button class="small" data-act="{act}">{label}</button></div>'
    )


def _card(summary: RunSummary, chosen: bool, waiting: list[str]) -> str:
    status, card, run_id = summary.run.status, summary.card, escape(summary.run.run_id)
    progress = bar(status.progress) if status.active else ""
    facts = " · ".join(filter(None, [card.method.upper(), _last_part(card.model)]))
    button = (
        f'<button class="run-card" data-run="{run_id}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{escape(summary.name)}</span>'
        f'{chip(summary.state)}<span class="facts">{escape(facts)}</span>'
        f'<span class="when">{ago(status.started or status.queued)}</span>{progress}</button>'
    )
    if len(waiting) < 2 or summary.run.run_id not in waiting:
        return button
    place = waiting.index(summary.run.run_id)
    moves = "".join(
        f'<button class="small" data-run="{run_id}" data-act="{act}" aria-label="{label}" '
        f'title="{label}"{" disabled" if ends else ""}>{shape}</button>'
        for act, label, shape, ends in (
            ("up", "Start earlier", "↑", place == 0),
            ("down", "Start later", "↓", place == len(waiting) - 1),
        )
    )
    return (
        f'<div class="run-waiting">{button}<span class="run-moves">{place + 1}.{moves}</span></div>'
    )


def head(summary: RunSummary) -> str:
    """Name, state, facts, progress, and whatever went wrong or stands out."""
    ended = " data-ended" * (summary.run.status.state in ENDED)
    return (
        f'<div class="run-head"{ended}><h2>{escape(summary.name)}</h2>{chip(summary.state)}</div>'
        f'<div class="quiet">{escape(facts(summary))}</div>'
        f"{_progress(summary)}{_outcome(summary)}{_results(summary)}"
    )


def facts(summary: RunSummary) -> str:
    """The run in one line."""
    card, status = summary.card, summary.run.status
    if summary.config is None:
        return f"{summary.run.run_id} · its run file cannot be read"
    took = f"trained {duration(status.training_seconds)}" if status.training_seconds else ""
    resumed = f"resumed {status.attempt} time{'s' * (status.attempt > 1)}" if status.attempt else ""
    parts = (*_what(card), card.source, took, resumed)
    return " · ".join(filter(None, parts))


def _what(card: RunCard) -> tuple[str, ...]:
    quantization = "" if card.quantization == "none" else card.quantization.upper()
    adapter = f"LoRA rank {card.rank}" if card.rank else "all weights"
    return card.method.upper(), _last_part(card.model), quantization, adapter


def _progress(summary: RunSummary) -> str:
    status = summary.run.status
    if status.state == "queued":
        return '<div class="run-progress"><span>Waits for its turn.</span></div>'
    words = [STAGES.get(status.stage, status.stage.capitalize()) or "Starting"]
    done, total = status.counted
    if not status.active:
        words = [] if total else ["Nothing was trained."]
    early = status.active and not status.step and status.stage in BEFORE_TRAINING
    if total and (not early or status.stage == CACHING):
        unit = "image" if status.stage == CACHING else "step"
        words.append(f"{unit} {done:,} of {total:,}")
    elif status.active:
        words[0] += " …"
    if status.stage == "loading" and status.stage_done:
        words.append(f"{status.stage_done / 1e9:.1f} GB fetched so far")
    if status.active and summary.seconds_left is not None:
        words.append(f"about {duration(summary.seconds_left)} left")
    line = escape(" · ".join(words))
    return f'<div class="run-progress">{bar(status.progress)}<span>{line}</span></div>'


def _outcome(summary: RunSummary) -> str:
    status = summary.run.status
    if summary.state == "stalled":
        why = SILENT.get(status.stage, "A slow step can take that long.")
        return notice(
            "No sign of life for three minutes",
            f"The worker still runs, so it has not crashed. {why} Stop now ends it, and Resume goes "
            "on from its last complete checkpoint.",
            tone="warn",
        )
    if summary.wish in WISHES:
        return notice("", WISHES[summary.wish])
    if status.state == "failed":
        where = f"Setting: {status.field}" if status.field else ""
        told = notice(status.message or "The run failed", status.remedy, where, tone="bad")
        return told + _log_lines(status.lines)
    if status.state == "stopped" and summary.diary.checkpoint:
        return notice("", f"Stopped; the checkpoint of step {summary.diary.checkpoint} is kept.")
    return ""


def _results(summary: RunSummary) -> str:
    """What came of a run that ended."""
    if summary.run.status.state not in ENDED:
        return ""
    parts = "".join(
        f"<div><dt>{escape(result.measure.title)}</dt><dd>{escape(spans(result))}</dd></div>"
        for result in results(summary.diary)
    )
    return f'<dl class="run-results" aria-label="What came of it">{parts}</dl>' if parts else ""


def log(summary: RunSummary) -> str:
    """The end of the log, and the way to all of it."""
    text = tail(summary.run.paths.log)
    if not text:
        return code("Nothing written yet.", LOG)
    address = f"/studio/runs/{escape(summary.run.run_id)}/log.txt"
    whole = f'<a class="small" href="{address}" target="_blank" rel="noopener">Whole log</a>'
    return f'<p class="log-tools">{whole}</p>{code(text, LOG)}'


def settings(summary: RunSummary) -> str:
    """The run file as it is."""
    return code(summary.run.paths.config.read_text(encoding="utf-8"), "Settings")


def _log_lines(lines: list[str]) -> str:
    if not lines:
        return ""
    label = "What the log says of it"
    return f'<details class="run-lines" open><summary>{label}</summary>{code(chr(10).join(lines), label)}</details>'


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


def health(diary: Diary) -> str:
    """What the worker said, and what stands out in the metrics, meaning and remedy folded in."""
    found = [_finding(finding) for finding in diary.findings.values()]
    if {"before", "after"} <= set(diary.forgetting):
        found.append(_forgetting(diary))
    signs = f'<div class="run-health" aria-label="Health">{"".join(found)}</div>' if found else ""
    return _notices(diary) + signs


def _finding(finding: Finding) -> str:
    when = f"step {finding.step:,}" if finding.step else "before training"
    return (
        f'<details class="finding" data-finding="{escape(finding.id)}"><summary>'
        f'<span aria-hidden="true">!</span> {escape(finding.title)} '
        f'<span class="quiet">{when}</span></summary>'
        f"<p>{escape(finding.meaning)}</p><p><b>What to do:</b> {escape(finding.remedy)}</p></details>"
    )


def _forgetting(diary: Diary) -> str:
    before, after = diary.forgetting["before"], diary.forgetting["after"]
    sign = forgetting(before, after)
    if sign is not None:
        return _finding(Finding("forgetting", diary.forgetting_step, *sign))
    amount = "Nothing" if after <= before else "Little"
    text = f"{amount} was forgotten: loss on unrelated questions {before:.3g} → {after:.3g}."
    return f'<p class="quiet">{text}</p>'


def probes(diary: Diary) -> str:
    """Fixed questions: what the base answers, and what each probed step does, newest first."""
    if not diary.probe_rows:
        return NO_PROBES
    return f'<div class="probes">{"".join(_probe(diary, i) for i in range(len(diary.probe_rows)))}</div>'


def _probe(diary: Diary, place: int) -> str:
    row = diary.probe_rows[place]
    images = "".join(
        f'<img src="/studio/thumbs/{escape(sha)}" alt="Image {number + 1} of the probe" loading="lazy">'
        for number, sha in enumerate(row.images)
    )
    said = [("base", row.base)] + [
        (f"step {step:,}", answers[place])
        for step, answers in sorted(diary.probes.items())
        if place < len(answers)
    ]
    lines = "".join(
        f'<li><span class="quiet">{escape(when)}</span><span>{escape(text) or "(nothing)"}</span></li>'
        for when, text in said
    )
    return (
        f'<figure class="probe"><div class="probe-images">{images}</div><div>'
        f"<figcaption>{escape(row.question)}</figcaption><ol>{lines}</ol></div></figure>"
    )


def checkpoint_list(summary: RunSummary) -> str:
    """Complete checkpoints, newest first; ended runs may go back to one, or take its weights."""
    paths = summary.run.paths
    found = [checkpoints.step_of(folder) for folder in checkpoints.complete_checkpoints(paths)]
    if not found:
        return NO_CHECKPOINTS
    ended, used = summary.run.status.state in ENDED, checkpoints.adapter_step(paths)
    lines = "".join(_checkpoint(step, ended, step == used) for step in reversed(found))
    return f'<ul class="checkpoints">{lines}</ul>'


def _checkpoint(step: int, ended: bool, used: bool) -> str:
    taken = '<span class="quiet">its weights are the run\'s</span>'
    take = f'<button class="small" data-use="{step}" title="{USE}">Use its weights</button>'
    go = f'<button class="small" data-step="{step}" title="{GO_ON}">Resume from here</button>'
    buttons = f'<span class="small-buttons">{taken if used else take}{go}</span>'
    return f"<li><span>step {step:,}</span>{buttons if ended else ''}</li>"


def longer_note(summary: RunSummary, epochs: float | None = None) -> str:
    """What training longer does to the learning rate; with `epochs`, in numbers."""
    if summary.config is None or summary.run.status.state not in ENDED:
        return ""
    text = longer.note(summary.run, longer.steps_with(summary.run, epochs) if epochs else None)
    return f'<div class="quiet">{escape(text)}</div>' if text else ""


def exports(summary: RunSummary, others: list[RunSummary]) -> str:
    """Links that give the run away: table (of `others` too), picture, script, notebook."""
    base = f"/studio/runs/{escape(summary.run.run_id)}"
    beside = f"?with={escape(','.join(item.run.run_id for item in others))}" if others else ""
    links = (
        (f"metrics.csv{beside}", "CSV", "Every recorded point as a table"),
        ("train.py", "Python script", "The run as one file for transformers, trl and peft"),
        ("train.ipynb", "Notebook", "The same as a notebook"),
    )
    made = "".join(
        f'<a class="small" href="{base}/{name}" download title="{title}">{label}</a>'
        for name, label, title in links
    )
    picture = '<button class="small" data-studio="plots-png" title="All curves as one picture">PNG</button>'
    return f'<div class="run-exports">{picture}{made}</div>'


def _last_part(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]
