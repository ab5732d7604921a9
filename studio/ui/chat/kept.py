"""Conversations as they are kept, listed and exported; no Gradio here."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from html import escape

from studio.core.errors import ConflictError, InputError, NotFoundError, RunFailedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.inference.conversation_store import ConversationStore, KeptConversation
from studio.ui.chat.state import ChatConversation, Turn

_KEEPING = threading.Lock()


def keep(workspace: Workspace, who: str, conversation: ChatConversation) -> StudioError | None:
    """Write a conversation to the workspace; returns why that did not go quite as wished.

    One that went on in another tab becomes a copy; one that was deleted there stays deleted.
    """
    if not conversation.turns:
        return None
    store = ConversationStore(workspace, who)
    with _KEEPING:
        try:
            _take(conversation, _written(store, conversation))
        except ConflictError as error:
            log_told(error)
            return _copied(store, conversation)
        except StudioError as error:
            log_told(error)
            return error
    return None


def forget(workspace: Workspace, who: str, conversation: ChatConversation) -> None:
    """Delete the file of a conversation in which nothing was answered: its question goes back."""
    with _KEEPING, suppress(NotFoundError, RunFailedError):
        ConversationStore(workspace, who).delete(conversation.conversation_id)
    conversation.conversation_id, conversation.name, conversation.revision = "", "", 0


def _written(store: ConversationStore, conversation: ChatConversation) -> KeptConversation:
    content = conversation.plain()
    if not conversation.conversation_id:
        return store.add(conversation.name or conversation.turns[0].question, content)
    known = KeptConversation(
        conversation.conversation_id, conversation.name, revision=conversation.revision
    )
    return store.update(known, content)


def _copied(store: ConversationStore, conversation: ChatConversation) -> StudioError:
    try:
        _take(conversation, store.add(f"{conversation.name} (copy)", conversation.plain()))
    except StudioError as error:
        return error
    return ConflictError(
        "This conversation went on in another tab: what you see here is kept as a copy.",
        remedy="Both are in the list.",
    )


def _take(conversation: ChatConversation, kept: KeptConversation) -> None:
    conversation.conversation_id = kept.conversation_id
    conversation.name, conversation.revision = kept.name, kept.revision


def open_kept(
    workspace: Workspace, who: str, conversation_id: str, conversation: ChatConversation
) -> None:
    """Show a kept conversation in place of the one that is shown.

    Raises:
        NotFoundError: It is gone, or not this person's.
        InputError: Its file is damaged.
    """
    kept = ConversationStore(workspace, who).get(conversation_id)
    try:
        conversation.restore(kept.content)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"The conversation {kept.name!r} cannot be read: its file is damaged.",
            remedy="Delete it, or bring it back from a backup.",
        ) from error
    _take(conversation, kept)


def list_html(kept: Sequence[KeptConversation], shown: str) -> str:
    """Draw the list, with what can be done to the conversation that is shown."""
    rows = "".join(_row(one, one.conversation_id == shown) for one in kept)
    body = f"<ul>{rows}</ul>" if rows else '<p class="quiet">None yet: ask something.</p>'
    return f'<div class="chat-list" data-open="{escape(shown)}">{body}</div>'


def _row(kept: KeptConversation, shown: bool) -> str:
    name, made = escape(kept.name), escape(kept.conversation_id)
    when = time.strftime("%d %b %H:%M", time.localtime(kept.updated))
    current = ' aria-current="true"' if shown else ""
    tools = "".join(
        f'<button data-do="{act}" data-id="{made}" data-name="{name}">{word}</button>'
        for act, word in (
            ("rename", "Rename"),
            ("markdown", "Markdown"),
            ("json", "JSON"),
            ("delete", "Delete"),
        )
    )
    below = f'<div class="chat-list-tools">{tools}</div>' if shown else ""
    return (
        f'<li><button class="chat-open" data-open-chat="{made}"{current} title="{name}">'
        f"<span>{name}</span><small>{when}</small></button>{below}</li>"
    )


def as_json(conversation: ChatConversation) -> str:
    """Return all of a conversation as JSON; images by their sha256."""
    content = {"name": conversation.name, **conversation.plain()}
    return json.dumps(content, ensure_ascii=False, indent=1)


def as_markdown(conversation: ChatConversation) -> str:
    """Return a conversation to be read; what people and models wrote stands in code blocks."""
    parts = [f"# {_line(conversation.name)}"]
    for number, turn in enumerate(conversation.turns, 1):
        parts += [f"## {number}. Question", _block(turn.question)]
        parts += [f"Image: `{sha}`" for sha in turn.images]
        parts += _answers(conversation, turn)
    return "\n\n".join(parts) + "\n"


def _answers(conversation: ChatConversation, turn: Turn) -> list[str]:
    parts = []
    for place, key in enumerate(turn.shown, 1):
        answer = turn.answers[key]
        name = f"Answer {place}" if turn.veiled else conversation.labels.get(key, key)
        best = " (voted best)" if turn.vote == key else ""
        parts += [f"### {_line(name)}{best}", _block(answer.text or answer.error or "No answer.")]
        if answer.verdict:
            parts.append(f"Verdict: {answer.verdict}")
    return parts


def _line(text: str) -> str:
    return " ".join(text.split())


def _block(text: str) -> str:
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}text\n{text}\n{ticks}"
