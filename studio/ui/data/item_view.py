"""One row in full: images, conversation, answers with their differences, history, facts."""

from __future__ import annotations

import json

from studio.annotation import EditView, ItemView
from studio.annotation.library.edits import editable_question
from studio.annotation.records import CandidateView
from studio.api.upload_folders import without_folder
from studio.core.local_time import minute
from studio.core.plurals import counted
from studio.data.schema import Message
from studio.ui.data.rows_view import Named, named_answers, status
from studio.ui.shared.text_differences import differences, safe


def detail(item: ItemView, edits: list[EditView]) -> str:
    """Draw one row in full; texts are edited where they stand (assets/web/library/open-row.js)."""
    return (
        f'<div class="item-detail" data-id="{item.id}" data-revision="{item.revision}"{_veiled(item)}>'
        f'<div class="item-head">{status(item)}'
        f'<a class="quiet" href="?row={item.id}" title="Address of this row">Link</a></div>'
        f'<div class="edit-actions item-marks">{_marks(item)}</div>'
        f'<div class="item-images">{_images(item)}</div>'
        f'<div class="item-turns">{_turns(item)}</div>'
        f'<div class="answer-cards">{_answers(item) or "No answers yet."}</div>'
        f'{_history(item, edits)}<dl class="item-meta">{_facts(item)}</dl></div>'
    )


def _veiled(item: ItemView) -> str:
    """Draw a mark for the page: its answers have handles for ids."""
    return " data-veiled" if item.veiled else ""


def _marks(item: ItemView) -> str:
    """Buttons for the marks of this row; each is told as one of `data_library.ACTIONS`."""
    actions = (
        ("unflag", "Unflag") if item.flagged else ("flag", "Flag"),
        ("include", "Include again") if item.excluded else ("exclude", "Exclude"),
        ("restore", "Restore") if item.deleted else ("delete", "Delete"),
    )
    return "".join(f'<button data-act="{action}">{words}</button>' for action, words in actions)


def _images(item: ItemView) -> str:
    return "".join(
        f'<a href="studio/images/{safe(sha)}" target="_blank" rel="noopener">'
        f'<img src="studio/images/{safe(sha)}" alt="Image {place} of this row"></a>'
        for place, sha in enumerate(item.images, 1)
    )


def _turns(item: ItemView) -> str:
    last = max(i for i, message in enumerate(item.prompt) if message.role == "user")
    return "".join(
        _editable(_turn(message), editable_question(item.prompt), "")
        if i == last
        else _turn(message)
        for i, message in enumerate(item.prompt)
    )


def _turn(message: Message) -> str:
    pieces = (
        '<span class="image-place">▦ image</span>' if part.type == "image" else safe(part.text)
        for part in message.parts
    )
    return f'<p class="turn"><b>{message.role.capitalize()}</b> {"".join(pieces)}</p>'


def _answers(item: ItemView) -> str:
    answers = named_answers(item)
    texts = [safe(answer.candidate.text) for answer in answers]
    if len(answers) > 1:
        texts[:2] = differences(*(answer.candidate.text for answer in answers[:2]))
    return "".join(_answer(answer, text) for answer, text in zip(answers, texts, strict=True))


def _answer(answer: Named, text: str) -> str:
    candidate = answer.candidate
    facts = [safe(candidate.author)] if candidate.author else []
    facts.append(f"{candidate.length:,} characters")
    facts += [safe(fact) for fact in written_how(candidate)]
    head = f'<b>{answer.word}</b><span class="quiet">{" · ".join(facts)}</span>'
    body = f'<p class="turn">{text}</p>'
    return (
        f'<div class="answer-card {answer.tone}">{head}'
        f"{_editable(body, candidate.text, str(candidate.id))}</div>"
    )


def written_how(candidate: CandidateView) -> list[str]:
    """Say how a model wrote an answer: tokens, model, decoding, time; nothing for others."""
    how = candidate.decoding
    if how is None:
        return []
    facts = [] if candidate.tokens is None else [counted(candidate.tokens, "token", "tokens")]
    names = {"model": "model", "temperature": "temperature", "top_p": "top-p", "seed": "seed"}
    facts += [f"{word} {how[name]}" for name, word in names.items() if how.get(name) is not None]
    if how.get("image"):
        facts.append(f"{how['image']} image")
    made = how.get("at")
    if isinstance(made, (int, float)):
        facts.append(minute(made))
    return facts


def _editable(shown: str, text: str, candidate: str) -> str:
    """`shown` with a button that puts `text` into a field in its place."""
    return (
        f'<div class="editable" data-candidate="{candidate}" data-text="{safe(text)}">{shown}'
        '<button class="quiet" data-edit>Edit</button></div>'
    )


def _history(item: ItemView, edits: list[EditView]) -> str:
    if not edits:
        return ""
    names: dict[int | None, str] = {
        answer.candidate.id: answer.word for answer in named_answers(item)
    }
    entries = "".join(_edit(edit, names.get(edit.candidate_id, "Question")) for edit in edits)
    count = "1 edit" if len(edits) == 1 else f"{len(edits)} edits"
    return f'<details class="item-history"><summary>History · {count}</summary>{entries}</details>'


def _edit(edit: EditView, what: str) -> str:
    before, after = differences(edit.before, edit.after)
    when = minute(edit.created_at)
    return (
        f'<div class="edit"><span class="quiet">{what} · {safe(edit.editor)} · {when}</span>'
        f'<p class="rejected"><b>was</b> {before}</p><p class="chosen"><b>now</b> {after}</p></div>'
    )


def _facts(item: ItemView) -> str:
    facts: dict[str, object] = {"Dataset": item.dataset, "Id": item.external_id}
    facts |= {"Source": without_folder(item.source)} if item.source else {}
    facts |= {"Split": item.split} if item.split else {}
    facts |= item.meta
    return "".join(
        f"<dt>{safe(name)}</dt><dd>{safe(_in_words(value))}</dd>" for name, value in facts.items()
    )


def _in_words(value: object) -> str:
    """A value as it stands in a source: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
