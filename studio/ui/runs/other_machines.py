"""A run on other machines: its script for SLURM, and what would be sent to Hugging Face Jobs.

assets/web/runs/export-files.js fetches both, so that a refusal is told beside the button.
"""

from __future__ import annotations

from html import escape

from studio.runs.status import ENDED
from studio.ui.runs.state import RunSummary

NUMBERS = (
    ("nodes", "Machines", 1, 1024),
    ("gpus", "GPUs on each", 1, 64),
    ("hours", "Hours", 24, 8760),
)
WORDS = (
    ("partition", "Partition", "the default one"),
    ("account", "Account", "the default one"),
    ("setup", "Shell line before training", "module load cuda"),
)
SLURM = (
    "A batch script that trains this run in its own folder, which the machines must share; the "
    "studio shows it from there. Start it with sbatch."
)
JOB = (
    "Nothing is sent by looking. Your account's name takes the place of <account>, and of secrets "
    "only the names are shown."
)
NO_JOB = "To train it as a Hugging Face job, clone it and set launch.engine to hf-jobs:<flavor>."


def elsewhere(summary: RunSummary) -> str:
    """Both, as far as the run's state allows."""
    if summary.config is None:
        return '<div class="quiet">Its run file cannot be read.</div>'
    job = _job(summary) if summary.job else f'<p class="quiet">{escape(NO_JOB)}</p>'
    return f'<div class="elsewhere">{_slurm(summary)}{job}</div>'


def _slurm(summary: RunSummary) -> str:
    state = summary.run.status.state
    bar = {
        "queued": "Take it off the queue first, or this studio starts it too.",
        "finished": "It is finished: nothing is left to train. Train it longer first.",
    }.get(state, "" if state in ENDED else "It is going on here: stop it first.")
    if bar:
        return f'<section><h4>SLURM</h4><p class="quiet">{bar}</p></section>'
    fields = "".join(
        f'<label>{label}<input name="{name}" type="number" min="1" max="{most}" required '
        f'value="{value}"></label>'
        for name, label, value, most in NUMBERS
    ) + "".join(
        f'<label>{label}<input name="{name}" maxlength="200" autocomplete="off" '
        f'placeholder="{hint}"></label>'
        for name, label, hint in WORDS
    )
    address = f"/studio/runs/{escape(summary.run.run_id)}/run.sbatch"
    return (
        f'<section><h4>SLURM</h4><p class="quiet">{SLURM}</p>'
        f'<form data-file="{address}">{fields}<button class="small">Download script</button></form>'
        "</section>"
    )


def _job(summary: RunSummary) -> str:
    if summary.run.status.active:
        text = "The job is on its way; its log below says what became of it."
        return f'<section><h4>Hugging Face Jobs</h4><p class="quiet">{text}</p></section>'
    address = f"/studio/runs/{escape(summary.run.run_id)}/job"
    return (
        f'<section><h4>Hugging Face Jobs</h4><p class="quiet">{escape(JOB)}</p>'
        f'<form data-look="{address}"><button class="small">Show what would be sent</button>'
        '<pre class="code-text" tabindex="0" aria-label="What would be sent" hidden></pre></form>'
        "</section>"
    )
