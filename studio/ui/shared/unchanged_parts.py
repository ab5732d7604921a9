"""What a page shows already, so that an answer leaves it out.

Each part of a tab carries the word of what it was drawn from, and the page sends those words with its
question (assets/web/shared/unchanged-parts.js). So what is left out is there, whichever answer came
last.
"""

from __future__ import annotations

import hashlib
import json
from html import escape
from typing import Any

import gradio as gr


class ShownParts:
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
