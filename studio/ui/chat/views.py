"""A conversation as HTML: plain text in bubbles, escaped here, nothing of it interpreted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from studio.core.errors import StudioError
from studio.inference.client import InferenceStatus, base_label
from studio.ui.chat.samples import ChatSample
from studio.ui.chat.state import TIE, ChatAnswer, ChatConversation, Turn
from studio.ui.shared import html

GB = 1e9
CHANGES = (0.1, 0.7, 2.0)
"""Changes of a log-probability, in nats, from which a piece is coloured, and coloured more."""
WHY_LEGEND = (
    '<div class="quiet">Solid blue: likelier with the adapter than without. Dotted orange: less '
    "likely. Point at a word for its figure.</div>"
)
AFTER_EMPTY = (
    "Ask otherwise, or choose an earlier checkpoint: a model trained too hard often says nothing."
)
EMPTY = html.empty("Ask about the image", "Take a sample or give your own image, then press Send.")


def page(conversation: ChatConversation) -> str:
    """All columns side by side, what is being edited, and the vote on the last turn."""
    columns = conversation.columns or (("", "Answer"),)
    last = conversation.turns[-1] if conversation.turns else None
    if last is not None and last.blind:
        # Each turn has an order of its own: what was answered before must not tell who is where.
        keys = [key for key, _ in columns] + [""] * len(last.shown)
        columns = tuple((keys[n], f"Answer {n + 1}") for n in range(len(last.shown)))
    logs = "".join(
        transcript(conversation, key, label, place) for place, (key, label) in enumerate(columns)
    )
    below = _editing(conversation) + (_voting(last, conversation.labels) if last else "")
    return f'<div class="chat-columns" data-columns="{len(columns)}">{logs}</div>{below}'


def transcript(conversation: ChatConversation, key: str, label: str, place: int = 0) -> str:
    """All turns in one column, newest in sight, and the last answer's speed below.

    Args:
        key: The model of the column; a blind turn has its own at this `place`.
    """
    last = conversation.turns[-1] if conversation.turns else None
    blind = last is not None and last.blind
    turns = "".join(
        _turn(turn, key, conversation.labels, place, named=blind) for turn in conversation.turns
    )
    body = f"<div>{turns}</div>" if turns else EMPTY
    veiled = last is not None and last.veiled  # speed tells models apart
    stats = "" if veiled else conversation.stats(_at(last, key, place))
    return (
        f'<section class="chat-column" aria-label="{escape(label)}">'
        f'<h3>{escape(label)}</h3><div class="chat-log" role="log" tabindex="0">{body}</div>'
        f'<div class="chat-stats">{escape(stats)}</div></section>'
    )


def _at(turn: Turn | None, key: str, place: int) -> str:
    """Return whose answer stands at a place of a turn: of a blind one, by its own order."""
    if turn is None or not turn.blind:
        return key
    return turn.shown[place] if place < len(turn.shown) else ""


def _turn(
    turn: Turn, key: str, labels: Mapping[str, str], place: int, *, named: bool = False
) -> str:
    thumbs = "".join(
        f'<img src="studio/thumbs/{escape(sha)}" alt="Image of this question" height="48">'
        for sha in turn.images
    )
    asked = f'<div class="chat-said user">{thumbs}<p>{escape(turn.question)}</p></div>'
    if place == 0 and not any(answer.open for answer in turn.answers.values()):
        asked += _tools(turn, place, (("edit", "Edit"), ("retry", "Retry")), "of-question")
    key = _at(turn, key, place)
    answer = turn.answers.get(key)
    own = _answer(answer, turn) if answer is not None else ""
    if answer is not None and not turn.veiled and (turn.blind or named):
        own = f'<div class="quiet">{escape(labels.get(key, key))}</div>{own}'
    if answer is not None and answer.text.strip() and not answer.open:
        own += _of_answer(answer, turn, key, place)
    if answer is not None and answer.open and len(turn.answers) > 1:
        own += _tools(turn, place, (("stop", "Stop this answer"),), "of-answer")
    said, by = turn.heard(key)
    if said and by != key and not turn.blind and (answer is None or answer.error):
        own += _of_another(said, labels.get(by, by))
    return asked + own


def _of_another(text: str, label: str) -> str:
    """Draw the answer of a model that is not this column's, which this one reads as its own."""
    return (
        f'<div class="quiet">{escape(label)} answered:</div>'
        f'<div class="chat-said model"><p>{escape(text)}</p></div>'
    )


def _answer(answer: ChatAnswer, turn: Turn) -> str:
    if answer.empty:
        said = f"<b>{html.EMPTY_ANSWER}</b> {escape(answer.why_empty)} {AFTER_EMPTY}"
        return f'<div class="chat-said model empty-answer"><p>{said}</p></div>'
    if answer.text:
        text = _coloured(answer.why) if answer.why else escape(answer.text)
        cut = f'<p class="chat-cut">Cut short: {escape(answer.error)}</p>' if answer.error else ""
        legend = WHY_LEGEND if answer.why else ""
        return f'<div class="chat-said model"><p>{text}</p></div>{legend}{cut}'
    if answer.open:
        stage = "" if turn.veiled else escape(answer.stage)
        return f'<div class="chat-said model waiting"><p>{stage or "Reading"}…</p></div>'
    why = escape(answer.error) or "Stopped before the first word."
    return f'<div class="chat-said model empty-answer"><p>No answer. {why}</p></div>'


def _of_answer(answer: ChatAnswer, turn: Turn, key: str, place: int) -> str:
    acts = [("copy", "Copy"), ("good", "Good"), ("bad", "Bad")]
    if key.startswith("run:") and not turn.veiled:
        acts.append(("why", "Hide why" if answer.why else "Why"))
    return _tools(turn, place, acts, "of-answer", answer.verdict)


def _tools(
    turn: Turn, place: int, acts: Sequence[tuple[str, str]], of: str, pressed: str = ""
) -> str:
    buttons = "".join(
        f'<button data-act="{act}" data-turn="{escape(turn.turn_id)}" data-place="{place}"'
        f"{_pressed(act == pressed) if act in ('good', 'bad') else ''}>{word}</button>"
        for act, word in acts
    )
    return f'<div class="chat-tools {of}">{buttons}</div>'


def _pressed(is_so: bool) -> str:
    return f' aria-pressed="{str(is_so).lower()}"'


def _coloured(pieces: Sequence[tuple[str, float]]) -> str:
    """Draw the pieces of an answer by how much the adapter changed their likelihood."""
    return "".join(
        f'<span class="{_change_class(change)}" title="{change:+.2f} nats">{escape(text)}</span>'
        for text, change in pieces
    )


def _change_class(change: float) -> str:
    strength = sum(abs(change) >= bound for bound in CHANGES)
    return f"why-{'up' if change > 0 else 'down'}-{strength}" if strength else "why-none"


def _voting(turn: Turn, labels: Mapping[str, str]) -> str:
    """Draw the buttons of a vote on the last turn, and what was voted."""
    shown = turn.shown
    if not turn.votable or len(shown) < 2:
        return ""
    choices = [(str(place), "is best", key) for place, key in enumerate(shown, 1)]
    buttons = "".join(
        f'<button data-act="vote" data-turn="{escape(turn.turn_id)}" data-place="{place}"'
        f"{_pressed(turn.vote == key)}><kbd>{place}</kbd> {word}</button>"
        for place, word, key in [*choices, ("0", "Tie", TIE)]
    )
    said = "Which answer is best? Press its number; Esc leaves the question box."
    if turn.vote:
        best = "a tie" if turn.vote == TIE else escape(labels.get(turn.vote, turn.vote))
        said = f"Voted: {best}. Saved; another key changes it."
    return (
        f'<div class="chat-vote" role="group" aria-label="Vote">{buttons}<span>{said}</span></div>'
    )


def _editing(conversation: ChatConversation) -> str:
    turn = conversation.turn(conversation.editing)
    if turn is None:
        return ""
    return (
        '<div class="chat-editing">Send replaces this question and all that came after it: '
        f"<q>{escape(turn.question[:80])}</q> "
        f'<button data-act="keep" data-turn="{escape(turn.turn_id)}" data-place="0">'
        "Leave it as it is</button></div>"
    )


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
