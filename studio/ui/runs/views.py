"""How runs look: the list, and of the chosen one its health, probes, checkpoints, log, settings."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from studio.inference.protocol import why_empty
from studio.runs import checkpoints
from studio.runs.control import extend
from studio.runs.curves import Diary, Notice, tail
from studio.runs.diagnostics.health_watch import HealthFinding
from studio.runs.diagnostics.rules import forgetting
from studio.runs.status import ENDED
from studio.ui.runs.state import RunSummary, ago, in_line
from studio.ui.shared.html import EMPTY_ANSWER, bar, chip, code, empty, notice

NO_RUNS = empty("No runs yet", "Choose a preset in Train and press Start; the run shows up here.")
NO_PROBES = (
    '<div class="quiet">No answers yet. Fixed questions are answered before training and every '
    "few steps; set probes.every in Train.</div>"
)
ENDED_AT_ONCE = "The model ended its answer at once, or wrote nothing that can be seen."
LOG = "Last lines of the log"
MOST_NOTICES = 5
ADDRESS = re.compile(r"(https?://[\w./:~%#?=&+-]+)")
NO_CHECKPOINTS = '<div class="quiet">No complete checkpoint yet.</div>'
USE = "Chat with and release what this checkpoint had learned; nothing is trained"
GO_ON = "Train on from this step; later checkpoints are deleted"
PAUSE = "No waiting run is started; one that is under way goes on"
UNPAUSE = "Waiting runs are started again"


def run_list(runs: list[RunSummary], chosen: str | None, paused: bool = False) -> str:
    """Draw what goes on, the queue with the next run first, then what ended, newest first.

    Buttons carry id and action.
    """
    if not runs:
        return NO_RUNS
    line = in_line(runs)
    waiting = [item.run.run_id for item in line]

    def cards(items: list[RunSummary]) -> str:
        return "".join(_card(item, item.run.run_id == chosen, waiting) for item in items)

    going = cards([item for item in runs if item.run.status.active])
    ended = cards([item for item in runs if item.run.status.state in ENDED])
    queue = _queue(len(waiting), paused) if going or waiting or paused else ""
    return f'<div class="run-list">{going}{queue}{cards(line)}{ended}</div>'


def _queue(waiting: int, paused: bool) -> str:
    words = ", ".join(filter(None, ["paused" * paused, f"{waiting} waiting" * (waiting > 0)]))
    words = words or "empty"
    act, label, title = ("go", "Go on", UNPAUSE) if paused else ("pause", "Pause", PAUSE)
    return (
        f'<div class="run-queue"><span>Queue: {words}</span>'
        f'<button class="small" data-act="{act}" title="{title}">{label}</button></div>'
    )


def _card(summary: RunSummary, chosen: bool, waiting: list[str]) -> str:
    status, card, run_id = summary.run.status, summary.card, escape(summary.run.run_id)
    progress = bar(status.progress) if status.active else ""
    when = status.queued if status.state == "queued" else status.started or status.queued
    model = card.model.rstrip("/").rsplit("/", 1)[-1]
    facts = " · ".join(filter(None, [card.method.upper(), model]))
    button = (
        f'<button class="run-card" data-run="{run_id}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{escape(summary.name)}</span>'
        f'{chip(summary.state)}<span class="facts">{escape(facts)}</span>'
        f'<span class="when">{ago(when)}</span>{progress}</button>'
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


def log(summary: RunSummary) -> str:
    """Draw the end of the log, and the way to all of it."""
    text = tail(summary.run.paths.log)
    if not text:
        return code("Nothing written yet.", LOG)
    address = f"/studio/runs/{escape(summary.run.run_id)}/log.txt"
    whole = f'<a class="small" href="{address}" target="_blank" rel="noopener">Whole log</a>'
    return f'<p class="log-tools">{whole}</p>{code(text, LOG)}'


def settings(summary: RunSummary) -> str:
    """Draw the run file as it is."""
    try:
        text = summary.run.paths.config.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return notice("", f"Its run file cannot be read: {error}.", tone="warn")
    return code(text, "Settings")


def _notices(diary: Diary) -> str:
    broken = "".join(
        notice(f"{name} was not a finite number at step {step}", tone="warn")
        for name, step in diary.not_finite.items()
    )
    return broken + "".join(map(_notice, diary.notices[-MOST_NOTICES:]))


def _notice(told: Notice) -> str:
    if told.type == "warning":
        return notice("", told.message, told.remedy, tone="warn")
    parts = ADDRESS.split(told.message)  # of a job, to look at it where it runs
    return '<div class="notice"><p>{}</p></div>'.format(
        "".join(
            f'<a href="{escape(part)}" target="_blank" rel="noopener noreferrer">{escape(part)}</a>'
            if place % 2
            else escape(part)
            for place, part in enumerate(parts)
        )
    )


def health(diary: Diary) -> str:
    """What the worker said, and what stands out in the metrics, meaning and remedy folded in."""
    found = [_finding(finding) for finding in diary.findings.values()]
    if {"before", "after"} <= set(diary.forgetting):
        found.append(_forgetting(diary))
    signs = f'<div class="run-health" aria-label="Health">{"".join(found)}</div>' if found else ""
    return _notices(diary) + signs


def _finding(finding: HealthFinding) -> str:
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
        return _finding(HealthFinding("forgetting", diary.forgetting_step, *sign))
    amount = "Nothing" if after <= before else "Little"
    text = f"{amount} was forgotten: loss on unrelated questions {before:.3g} → {after:.3g}."
    return f'<p class="quiet">{text}</p>'


def probes(diary: Diary) -> str:
    """Fixed questions: what the base answers, then each answer with the steps that gave it."""
    if not diary.probe_rows:
        return NO_PROBES
    return f'<div class="probes">{"".join(_probe(diary, i) for i in range(len(diary.probe_rows)))}</div>'


def _probe(diary: Diary, place: int) -> str:
    row = diary.probe_rows[place]
    images = "".join(
        f'<img src="/studio/thumbs/{escape(sha)}" alt="Image {number + 1} of the probe" loading="lazy">'
        for number, sha in enumerate(row.images)
    )
    lines = "".join(
        f'<li><span class="quiet">{escape(when)}</span>{_answer(text, written)}</li>'
        for when, text, written in [("base", row.base, row.written), *_answers(diary, place)]
    )
    return (
        f'<figure class="probe"><div class="probe-images">{images}</div><div>'
        f"<figcaption>{escape(row.question)}</figcaption><ol>{lines}</ol></div></figure>"
    )


def _answer(text: str, written: int | None) -> str:
    """Draw what was said, or that it was nothing and why.

    Args:
        written: Tokens of the answer; None where they are not known.
    """
    if text.strip():
        return f"<span>{escape(text)}</span>"
    why = ENDED_AT_ONCE if written is None else escape(why_empty(written, ""))
    return f'<span class="quiet"><b>{EMPTY_ANSWER}</b> {why}</span>'


def _answers(diary: Diary, place: int) -> list[tuple[str, str, int | None]]:
    """Draw the steps of an answer, the answer, its tokens where it is empty.

    Steps that follow each other with the same answer are one line.
    """
    said = [
        (step, answers[place], _written(diary, step, place))
        for step, answers in sorted(diary.probes.items())
        if place < len(answers)
    ]
    found = []
    for (text, written), together in groupby(said, _alike):
        steps = [step for step, *_ in together]
        until = f" – {steps[-1]:,}" if len(steps) > 1 else ""
        found.append((f"step{'s' * bool(until)} {steps[0]:,}{until}", text, written))
    return found


def _alike(said: tuple[int, str, int | None]) -> tuple[str, int | None]:
    _, text, written = said
    return text, None if text.strip() else written


def _written(diary: Diary, step: int, place: int) -> int | None:
    counts = diary.written.get(step, [])
    return counts[place] if place < len(counts) else None


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
    taken = '<span class="quiet">used by chat and release</span>'
    take = f'<button class="small" data-use="{step}" title="{USE}">Use its weights</button>'
    go = f'<button class="small" data-step="{step}" title="{GO_ON}">Resume from here</button>'
    buttons = f'<span class="small-buttons">{taken if used else take}{go}</span>'
    return f"<li><span>step {step:,}</span>{buttons if ended else ''}</li>"


def longer_note(summary: RunSummary, epochs: float | None = None, trouble: str = "") -> str:
    """Draw what training longer does to the learning rate; with `epochs`, in numbers.

    Args:
        trouble: Why what was typed is no number of epochs.
    """
    run = summary.run
    if summary.config is None or run.status.state not in ENDED or not summary.checkpoint:
        return ""
    if trouble:
        return f'<div class="field-error">{escape(trouble)}</div>'
    total = extend.steps_with(run, epochs) if epochs else None
    text = extend.note(run, total)
    if total is not None and total <= run.status.step:
        text = f"No longer than now: that is {total:,} steps, and {run.status.step:,} are done."
    elif total is not None:
        text = f"{total:,} steps in all, {total - run.status.step:,} more than now. {text}"
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
        f'<a class="small{" of-curves" * (label == "CSV")}" href="{base}/{name}" download '
        f'title="{title}">{label}</a>'
        for name, label, title in links
    )
    picture = (
        '<button class="small of-curves" data-studio="plots-png" '
        'title="All curves as one picture">PNG</button>'
    )
    return f'<div class="run-exports">{picture}{made}</div>'
