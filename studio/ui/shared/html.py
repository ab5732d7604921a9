"""Small pieces of HTML shared by the tabs. Everything from outside is escaped here."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

import gradio as gr

from studio.core.errors import StudioError
from studio.core.logs import log_told

STATES = {
    "queued": ("○", "Queued", ""),
    "starting": ("◔", "Starting", "active"),
    "running": ("▶", "Running", "active"),
    "stopping": ("◼", "Stopping", "active"),
    "stopped": ("◼", "Stopped", ""),
    "finished": ("✓", "Finished", "good"),
    "failed": ("✕", "Failed", "bad"),
    "stalled": ("!", "No sign of life", "bad"),
}


def chip(state: str) -> str:
    """Return a run's state as a shape and a word."""
    shape, word, tone = STATES[state]
    return f'<span class="chip {tone}"><span aria-hidden="true">{shape}</span>{word}</span>'


def bar(share: float) -> str:
    """Return a progress bar; `share` is 0 to 1."""
    percent = round(100 * min(max(share, 0.0), 1.0), 1)
    return (
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent:g}"><i style="width:{percent:g}%"></i></div>'
    )


def empty(title: str, text: str = "") -> str:
    """Return what a place says when there is nothing in it yet."""
    return f'<div class="empty"><b>{escape(title)}</b>{escape(text)}</div>'


# Until the page has asked: nobody may read "none yet" where there are some.
LOADING = empty("Loading …")
EMPTY_ANSWER = "(empty answer)"


def notice(title: str, *paragraphs: str, tone: str = "") -> str:
    """Return a sentence that stands out; tone is `bad`, `warn` or nothing."""
    head = f"<p><b>{escape(title)}</b></p>" if title else ""
    rest = "".join(f"<p>{escape(text)}</p>" for text in paragraphs if text)
    role = ' role="alert"' if tone == "bad" else ""
    return f'<div class="notice {tone}"{role}>{head}{rest}</div>'


def flagged_address(dataset: str) -> str:
    """Make the address of the page that shows the flagged rows of a dataset."""
    return f"?{urlencode({'dataset': dataset, 'marks': 'Flagged'})}"


def code(text: str, label: str) -> str:
    """Text to be read as it is."""
    return f'<pre class="code-text" tabindex="0" aria-label="{escape(label)}">{escape(text)}</pre>'


def duration(seconds: float) -> str:
    """Seconds in words: `8 s`, `3 min`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def count(number: int) -> str:
    """Return a count people can read: `1,053`, `11.3 M`, `2.2 B`."""
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,}"


def told(error: StudioError) -> str:
    """Return an error in place: what happened and what to do; its traceback goes into the log."""
    log_told(error)
    return notice(error.message, error.remedy, tone="bad")


def inform(sentence: str) -> None:
    """Say what was done, as a passing message; as `say`, of queued events only."""
    gr.Info(escape(sentence), title="Done")


def say(error: StudioError) -> None:
    """Show an error as a passing message; Gradio renders these as HTML, so it is escaped.

    Only a queued event can show one: Gradio drops the messages of others.
    """
    log_told(error)
    gr.Warning(escape(error.in_words), title="That did not work")
