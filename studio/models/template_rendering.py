"""Conversations as the model's chat template writes them, many at a time.

A template is run once per *shape* of a conversation (roles and parts, without the texts) with
marks in place of the texts; texts are then put where the marks came out. That is exact as long as
the template copies texts as they are, which is checked on the first conversations of each shape;
shapes for which it is not so go through the template each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import ProcessorMixin

Message = dict[str, Any]
Shape = tuple
CHECKED = 16


class Renderer:
    """The texts that a processor's chat template makes of conversations."""

    def __init__(self, processor: ProcessorMixin) -> None:
        self._processor = processor
        self._frames: dict[Shape, list[str] | None] = {}
        self._checked: dict[Shape, int] = {}

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return a prompt up to the place where the answer begins."""
        return self._text(messages, generation=True)

    def conversation(self, messages: Sequence[Message]) -> str:
        """Return a conversation with its answer."""
        return self._text(messages, generation=False)

    def _text(self, messages: Sequence[Message], generation: bool) -> str:
        shape = (generation, *((m["role"], *(p["type"] for p in m["content"])) for m in messages))
        texts = [p["text"] for m in messages for p in m["content"] if p["type"] == "text"]
        if shape not in self._frames:
            self._frames[shape] = self._frame(messages, generation, len(texts))
            self._checked[shape] = 0
        frame = self._frames[shape]
        filled = "" if frame is None else _filled(frame, texts)
        if frame is not None and self._checked[shape] >= CHECKED:
            return filled
        self._checked[shape] += 1
        rendered = self._render(messages, generation)
        if filled != rendered:
            self._frames[shape] = None
        return rendered

    def _frame(self, messages: Sequence[Message], generation: bool, texts: int) -> list[str] | None:
        """What the template writes around the texts; None when it does not copy them."""
        marks = [f"  \ue000{place}\ue001 \n" for place in range(texts)]
        remaining = iter(marks)
        marked = [
            {**m, "content": [_with_text(p, remaining) for p in m["content"]]} for m in messages
        ]
        rest, frame = self._render(marked, generation), []
        for mark in marks:
            before, found, rest = rest.partition(mark)
            if not found:
                return None
            frame.append(before)
        return None if "\ue000" in rest else [*frame, rest]

    def _render(self, messages: Sequence[Message], generation: bool) -> str:
        return self._processor.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=generation
        )


def _with_text(part: dict[str, str], marks) -> dict[str, str]:
    return {"type": "text", "text": next(marks)} if part["type"] == "text" else part


def _filled(frame: Sequence[str], texts: Sequence[str]) -> str:
    pieces = [frame[0]]
    for text, after in zip(texts, frame[1:], strict=True):
        pieces += (text, after)
    return "".join(pieces)
