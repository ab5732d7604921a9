"""A conversation as HTML: plain text in bubbles, escaped here, nothing of it interpreted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from studio.core.errors import StudioError
from studio.inference.client import InferenceStatus, base_label
from studio.ui.chat.samples import ChatSample
from studio.ui.chat.state import ChatAnswer, ChatConversation, Turn
from studio.ui.shared import html

GB = 1e9
AFTER_EMPTY = (
    "Ask otherwise, or choose an earlier checkpoint: a model trained too hard often says nothing."
)
EMPTY = html.empty("Ask about the image", "Take a sample or give your own image, then press Send.")


def transcript(conversation: ChatConversation, key: str, label: str) -> str:
    """All turns with model `key`, newest in sight, and the last answer's speed below."""
    turns = "".join(_turn(turn, key, conversation.labels) for turn in conversation.turns)
    body = f"<div>{turns}</div>" if turns else EMPTY
    return (
        f'<section class="chat-column" aria-label="{escape(label)}">'
        f'<h3>{escape(label)}</h3><div class="chat-log" role="log" tabindex="0">{body}</div>'
        f'<div class="chat-stats">{escape(conversation.stats(key))}</div></section>'
    )


def _turn(turn: Turn, key: str, labels: Mapping[str, str]) -> str:
    thumbs = "".join(
        f'<img src="studio/thumbs/{escape(sha)}" alt="Image of this question" height="48">'
        for sha in turn.images
    )
    asked = f'<div class="chat-said user">{thumbs}<p>{escape(turn.question)}</p></div>'
    answer = turn.answers.get(key)
    own = _answer(answer) if answer is not None else ""
    said, by = turn.heard(key)
    if said and by != key and (answer is None or answer.error):
        own += _of_another(said, labels.get(by, by))
    return asked + own


def _of_another(text: str, label: str) -> str:
    """Draw the answer of a model that is not this column's, which this one reads as its own."""
    return (
        f'<div class="quiet">{escape(label)} answered:</div>'
        f'<div class="chat-said model"><p>{escape(text)}</p></div>'
    )


def _answer(answer: ChatAnswer) -> str:
    if answer.empty:
        said = f"<b>{html.EMPTY_ANSWER}</b> {escape(answer.why_empty)} {AFTER_EMPTY}"
        return f'<div class="chat-said model empty-answer"><p>{said}</p></div>'
    if answer.text:
        return f'<div class="chat-said model"><p>{escape(answer.text)}</p></div>'
    if answer.open:
        stage = escape(answer.stage or "Reading")
        return f'<div class="chat-said model waiting"><p>{stage}…</p></div>'
    if answer.error:
        return f'<div class="chat-said model empty-answer"><p>No answer. {escape(answer.error)}</p></div>'
    return ""


def failure(error: StudioError) -> str:
    """Draw an error in place: what happened and what to do."""
    return html.told(error)


def samples_note(samples: Sequence[ChatSample]) -> str:
    """Whose questions the samples are."""
    own = sum(sample.own for sample in samples)
    if not own:
        return ""
    whose = "The first question is" if own == 1 else f"The first {own} questions are"
    rest = ", the others come with the studio" if own < len(samples) else ""
    return f'<div class="quiet">{whose} this run\'s own{rest}.</div>'


def memory_line(status: InferenceStatus) -> str:
    """Draw what the inference process holds, in words and numbers."""
    text = "No model in memory"
    if status.model is not None:
        size = status.on_gpu or status.resident
        place = " on the GPU" if status.on_gpu else ""
        text = f"{base_label(status.model)} · {size / GB:.1f} GB{place}"
    return f'<span class="chat-memory">{escape(text)}</span>'
