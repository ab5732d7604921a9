"""The head of the chosen run: what it is, how far it is, and what is to be known of it first."""

from __future__ import annotations

import time
from html import escape

from studio.core.paths import read_state
from studio.runs import held_out_result
from studio.runs.decisions import Decision
from studio.runs.outcome import results
from studio.runs.run_summary import RunCard
from studio.runs.sign_of_life import last_sign
from studio.runs.status import CACHING, ENDED, INITIALIZING
from studio.ui.runs.compare import spans
from studio.ui.runs.decision_card import verdict_chip
from studio.ui.runs.state import BEFORE_TRAINING, RunSummary
from studio.ui.shared.html import bar, chip, code, duration, notice

STAGES = {
    "starting": "Starting",
    "checking": "Checking settings and rows",
    "loading": "Loading the model",
    INITIALIZING: "Finding the start of the adapter in the rows",
    CACHING: "Encoding each image once",
    "probing": "Answering the probes",
    "training": "Training",
    "evaluating": "Evaluating",
    "saving": "Saving",
    "pushing": "Pushing to the hub",
    "submitting": "Submitting the job",
    "fetching": "Fetching what the job trained",
    "waiting": "Waiting for the machine",
    "waiting for Hugging Face": "Waiting for Hugging Face to answer",
}
WISHES = {
    "save": "Saves a checkpoint after this step and goes on.",
    "stop": "Stops after this step, with a checkpoint.",
    "stop_now": "Stops after this step without a checkpoint; after ten seconds it is ended.",
}
JOB_WISHES = {
    "save": "A job saves by itself every ten minutes; it cannot be asked to.",
    "stop": "Cancels the job and fetches the weights it uploaded last.",
    "stop_now": "Cancels the job at once; after ten seconds it is followed no longer.",
}
SILENT = {
    "loading": "Loading a large model, or fetching it from the hub, can take that long.",
    "checking": "Reading many rows, or fetching them from the hub, can take that long.",
    "saving": "Writing many weights to a slow disk can take that long.",
}
DAY = 86_400.0


def head(summary: RunSummary, turn: str = "", decided: Decision | None = None) -> str:
    """Name, state, facts, progress, and whatever went wrong or stands out.

    Args:
        turn: When a waiting run starts.
        decided: What was decided about it last.
    """
    ended = " data-ended" * (summary.run.status.state in ENDED)
    longer = " data-checkpoint" * bool(summary.checkpoint)
    return (
        f'<div class="run-head"{ended}{longer}><h2>{escape(summary.name)}</h2>'
        f"{chip(summary.state)}{verdict_chip(decided)}</div>"
        f'<div class="quiet">{escape(facts(summary))}</div>'
        f"{_rows(summary)}{_progress(summary, turn)}{_outcome(summary)}{_push(summary)}"
        f"{_results(summary)}"
    )


def facts(summary: RunSummary) -> str:
    """Draw the run in one line."""
    card, status = summary.card, summary.run.status
    if summary.config is None:
        return f"{summary.run.run_id} · its run file cannot be read"
    took = f"trained {duration(status.training_seconds)}" if status.training_seconds else ""
    parts = (*_what(card), card.source, took, status.again)
    return " · ".join(filter(None, parts))


def _rows(summary: RunSummary) -> str:
    """Draw what is learned of the rows, and why some are left out, as the run's plan has it."""
    plan = read_state(summary.run.paths.plan)
    said = [plan.get("scored") or "", *(f"left out: {text}" for text in plan.get("skipped") or [])]
    line = " · ".join(filter(None, said))
    return f'<div class="quiet">{escape(line[:1].upper() + line[1:])}</div>' if line else ""


def _what(card: RunCard) -> tuple[str, ...]:
    quantization = "" if card.quantization == "none" else card.quantization.upper()
    adapter = f"LoRA rank {card.rank}" if card.rank else "all weights"
    model = card.model.rstrip("/").rsplit("/", 1)[-1]
    return card.method.upper(), model, quantization, adapter


def _progress(summary: RunSummary, turn: str) -> str:
    status = summary.run.status
    if status.state == "queued":
        on = f" It goes on from step {summary.checkpoint:,}." if summary.checkpoint else ""
        waits = escape(f"{turn or 'Waits for its turn.'}{on}")
        return f'<div class="run-progress"><span>{waits}</span></div>'
    words = [STAGES.get(status.stage, status.stage.capitalize()) or "Starting"]
    done, total = status.counted
    if not status.active:
        words = [] if done or status.state == "finished" else ["Nothing was trained."]
    early = not status.step and status.stage in BEFORE_TRAINING
    if total and (done or status.active) and (not early or status.stage == CACHING):
        unit = "image" if status.stage == CACHING else "step"
        words.append(f"{unit} {done:,} of {total:,}")
    elif status.active:
        words[0] += " …"
    if status.stage == "loading" and status.stage_done:
        words.append(f"{status.stage_done / 1e9:.1f} GB fetched so far")
    if status.stage == INITIALIZING and status.stage_done:
        words.append(f"pass {status.stage_done:,} of at most {status.stage_total:,}")
    if status.active and summary.seconds_left is not None:
        words.append(f"about {duration(summary.seconds_left)} left")
    line = escape(" · ".join(words))
    return f'<div class="run-progress">{bar(status.progress)}<span>{line}</span></div>'


def _outcome(summary: RunSummary) -> str:
    status = summary.run.status
    asked = notice("", _wish(summary)) if summary.wish != "none" else ""
    if summary.state == "stalled":
        return _silence(summary) + asked
    if asked:
        return asked
    if status.state == "failed":
        where = f"Setting: {status.field}" if status.field else ""
        told = notice(status.message or "The run failed", status.remedy, where, tone="bad")
        return told + _log_lines(status.lines)
    if status.state == "stopped" and summary.checkpoint:
        return notice("", f"Stopped; the checkpoint of step {summary.checkpoint:,} is kept.")
    return ""


def _push(summary: RunSummary) -> str:
    """Draw how the push to the hub went, of a run that ended."""
    status = summary.run.status
    if status.state not in ENDED:
        return ""
    if summary.pushing:
        return notice("", "Pushing the weights to the hub …")
    if status.push_error:
        return notice(
            "Trained, but not pushed", f"{status.push_error} {status.push_remedy}", tone="warn"
        )
    return notice("", f"Pushed to {status.pushed}") if status.pushed else ""


def _silence(summary: RunSummary) -> str:
    why = SILENT.get(summary.run.status.stage, "A slow step can take that long.")
    back = "Start again begins from its first step"
    if summary.checkpoint:
        back = f"Resume goes on from the checkpoint of step {summary.checkpoint:,}"
    return notice(
        f"No sign of life since {_clock(last_sign(summary.run))}",
        f"The worker still runs, so it has not crashed. {why} Stop now ends it; {back}.",
        tone="warn",
    )


def _clock(when: float) -> str:
    form = "%H:%M" if time.time() - when < DAY else "%d %b %H:%M"
    return time.strftime(form, time.localtime(when))


def _wish(summary: RunSummary) -> str:
    """Draw what becomes of what the run was asked for."""
    stage, wish = summary.run.status.stage, summary.wish
    if summary.job:
        return JOB_WISHES[wish]
    if wish == "save" or stage not in BEFORE_TRAINING:
        return WISHES[wish]
    if not summary.checkpoint:
        return "Stops before its first step; nothing is trained."
    return f"Stops before it trains on; the checkpoint of step {summary.checkpoint:,} is kept."


def _results(summary: RunSummary) -> str:
    """Draw what came of a run that ended."""
    if summary.run.status.state not in ENDED:
        return ""
    parts = "".join(
        f"<div><dt>{escape(result.measure.title)}</dt><dd>{escape(spans(result))}</dd></div>"
        for result in results(summary.diary)
    )
    listed = f'<dl class="run-results" aria-label="What came of it">{parts}</dl>' if parts else ""
    return f"{_measured(summary)}{listed}"


def _measured(summary: RunSummary) -> str:
    """Draw what it came to on held-out rows, in one sentence."""
    found = held_out_result.read(summary.run.paths)
    if found is None:
        return ""
    said = (
        found.sentence or "Answers held-out rows, as it began and as it ended, when it is its turn."
    )
    tone = "" if found.state == "measured" else " quiet"
    link = ""
    if found.evaluation:
        name = escape(found.evaluation)
        link = f' <button class="small" data-evaluation="{name}">Every answer</button>'
    return f'<p class="run-measured{tone}">{escape(said)}{link}</p>'


def _log_lines(lines: list[str]) -> str:
    if not lines:
        return ""
    label, text = "What the log says of it", "\n".join(lines)
    return (
        f'<details class="run-lines" open><summary>{label}</summary>{code(text, label)}</details>'
    )
