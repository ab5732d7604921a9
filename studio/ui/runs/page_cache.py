"""What a page shows of the runs already, so that an answer leaves it out.

Each part of the page carries the word of what it was drawn from, and the page sends those words
with its question (assets/web/runs/unchanged-parts.js). So what is left out is there, whichever answer came last.
"""

from __future__ import annotations

import hashlib
import json
import time
from html import escape
from typing import Any

import gradio as gr

from studio.runs.run_summary import stamp
from studio.ui.events.event_data import whole_number
from studio.ui.runs.state import RunSummary
from studio.ui.shared.line_charts import ChartLook

CURVES_EVERY = 4.0


class ShownRuns:
    """The words a page carries, by part; none of a page that was just opened."""

    def __init__(self, seen: str = "") -> None:
        try:
            words = json.loads(seen or "{}")
        except ValueError:
            words = {}
        words = words if isinstance(words, dict) else {}
        self.words = {str(part): str(word) for part, word in words.items()}

    def has(self, part: str, word: str) -> bool:
        """Return whether the page shows that of the part."""
        return self.words.get(part) == word

    def part(self, name: str, html: str, word: str = "") -> Any:
        """Return the part with its word, or nothing where the page shows the same."""
        word = word or word_of(html)
        return gr.skip() if self.has(name, word) else carry(name, word) + html


def word_of(*things: Any) -> str:
    """Return a short word that differs when any of `things` does."""
    return hashlib.sha256("|".join(map(str, things)).encode()).hexdigest()[:16]


def carry(part: str, word: str) -> str:
    """Return what a part carries to say what it was drawn from."""
    return f'<i data-part="{escape(part)}" data-shown="{escape(word)}" hidden></i>'


def curves_word(
    there: ShownRuns, chosen: RunSummary, others: list[RunSummary], look: ChartLook
) -> tuple[str, bool]:
    """Return the word of the curves as they would be drawn now, and whether that can wait.

    Drawing them is most of the work, in the browser too. While a run goes on they follow every few
    seconds; on a machine that trains beside its browser, training would pay for more.
    """
    drawn = [
        (item.run.run_id, item.state, item.run.status.total_steps) for item in (chosen, *others)
    ]
    key = word_of(drawn, look)
    steps = word_of(*(stamp(item.run.paths.events) for item in (chosen, *others)))
    before = there.words.get("curves", "").split()
    if before[:2] == [key, steps]:
        return there.words["curves"], False
    now = time.time()
    if before[:1] == [key] and chosen.run.status.active:
        drawn_at = whole_number(before[-1]) or 0
        if 0 <= 1000 * now - drawn_at < 1000 * CURVES_EVERY:
            return there.words["curves"], True
    return f"{key} {steps} {1000 * now:.0f}", False
