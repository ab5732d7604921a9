"""How the library looks: datasets, rows as table or gallery, one row in full, previews.

Everything from outside goes through `safe`.
"""

from __future__ import annotations

from html import escape

from studio.annotation import CandidateView, DatasetView, ItemView, PairView
from studio.data.schema import BadRow, Message, Row
from studio.services.importer import ImportStatus
from studio.services.library import ImportReport, SourcePreview
from studio.ui.views import bar, count, empty, notice

SHOWN_BAD = 8
NOTHING_FOUND = empty("No rows match", "Clear the search or the filter.")


def safe(text: object) -> str:
    """Text from outside as inert HTML; neither markup nor a template reads anything into it."""
    return escape(str(text)).replace("{", "&#123;").replace("$", "&#36;")


def said(title: str, *paragraphs: str, tone: str = "bad") -> str:
    """A notice in which text from outside is inert."""
    return notice(title, *paragraphs, tone=tone).replace("{", "&#123;").replace("$", "&#36;")


def dataset_list(datasets: list[DatasetView], chosen: str | None) -> str:
    """The datasets with their counts; each is a button that carries its name."""
    if not datasets:
        return '<div class="quiet">No datasets yet.</div>'
    cards = []
    if len(datasets) > 1:
        total = sum(dataset.items for dataset in datasets)
        cards.append(_dataset("", "All datasets", f"{count(total)} rows", not chosen))
    for dataset in datasets:
        facts = f"{count(dataset.items)} rows"
        if dataset.pairs:
            facts += f" · {count(dataset.labelled)} of {count(dataset.pairs)} pairs labelled"
        cards.append(_dataset(dataset.name, dataset.name, facts, dataset.name == chosen))
    return f'<div class="dataset-list">{"".join(cards)}</div>'


def table(items: list[ItemView], chosen: int | None) -> str:
    """Rows under headings."""
    head = "".join(f"<th>{title}</th>" for title in ("", "Question", "Answers", "Labels"))
    rows = "".join(_table_row(item, item.id == chosen) for item in items)
    return (
        f'<table class="library-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def gallery(items: list[ItemView], chosen: int | None) -> str:
    """Thumbnails with their questions."""
    cards = "".join(
        f'<button class="library-card" data-item="{item.id}" '
        f'aria-pressed="{str(item.id == chosen).lower()}">{_thumb(item)}'
        f'<span class="clip2">{safe(item.question)}</span>{_labels(item)}</button>'
        for item in items
    )
    return f'<div class="library-gallery">{cards}</div>'


def detail(item: ItemView) -> str:
    """One row in full: images, conversation, answers side by side, where it comes from."""
    images = "".join(
        f'<a href="studio/images/{safe(sha)}" target="_blank" rel="noopener">'
        f'<img src="studio/images/{safe(sha)}" alt="Image {place} of this row"></a>'
        for place, sha in enumerate(item.images, 1)
    )
    turns = "".join(_turn(message) for message in item.prompt)
    facts = {"Dataset": item.dataset, "Id": item.external_id, **item.meta}
    meta = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in facts.items())
    return (
        f'<div class="item-detail"><div class="item-images">{images}</div>'
        f'<div class="item-turns">{turns}</div>{_answers(item)}'
        f'<dl class="item-meta">{meta}</dl></div>'
    )


def preview(found: SourcePreview) -> str:
    """What a source was recognised as, with its first rows and what is wrong with others."""
    rows = "".join(_preview_row(row) for row in found.first)
    counted = "number of rows unknown"
    if found.rows is not None:
        counted = f"{count(found.rows)} {'row' if found.rows == 1 else 'rows'}"
    return (
        f'<div class="preview"><p><b>Recognised as: {safe(found.recognised_as)}</b> · '
        f"{counted} · {safe(found.label)}</p>"
        f'<div class="preview-rows">{rows}</div>{bad_rows(found.bad, len(found.bad))}</div>'
    )


def progress(status: ImportStatus) -> str:
    """An import on its way."""
    share = status.read / status.total if status.total else 0.0
    of = f" of {count(status.total)}" if status.total else ""
    return (
        f'<div class="preview"><p><b>Importing {safe(status.source)}</b> · '
        f"{count(status.read)}{of} rows read</p>{bar(share)}"
        '<p class="quiet">You may leave; it goes on.</p></div>'
    )


def summary(done: ImportReport) -> str:
    """What an import did, in one line."""
    parts = [f"{count(done.added)} added"]
    parts += [f"{count(done.unchanged)} already there"] if done.unchanged else []
    parts += [f"{count(done.extended)} given new answers"] if done.extended else []
    parts += [f"{count(done.bad_count)} left out"] if done.bad_count else []
    return f'<div class="quiet">{safe(done.dataset)}: {", ".join(parts)}</div>'


def report(done: ImportReport) -> str:
    """What an import did, with the rows it left out."""
    return (
        f'<div class="preview"><p><b>Imported into {safe(done.dataset)}</b></p>{summary(done)}'
        f"{bad_rows(done.bad, done.bad_count)}</div>"
    )


def bad_rows(bad: list[BadRow], total: int) -> str:
    """Rows that cannot be used, with their lines and reasons."""
    if not bad:
        return ""
    lines = [f"Row {row.line}: {row.reason}." for row in bad[:SHOWN_BAD]]
    if total > SHOWN_BAD:
        lines.append(f"… and {count(total - SHOWN_BAD)} more.")
    title = f"{count(total)} {'row' if total == 1 else 'rows'} cannot be used"
    return said(title, *lines, tone="warn")


def _dataset(name: str, title: str, facts: str, chosen: bool) -> str:
    return (
        f'<button class="dataset-card" data-dataset="{safe(name)}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{safe(title)}</span>'
        f'<span class="facts">{facts}</span></button>'
    )


def _table_row(item: ItemView, chosen: bool) -> str:
    return (
        f'<tr data-item="{item.id}" tabindex="0" aria-selected="{str(chosen).lower()}">'
        f"<td>{_thumb(item)}</td>"
        f'<td><span class="clip3">{safe(item.question)}</span></td>'
        f"<td>{_short_answers(item)}</td><td>{_labels(item)}</td></tr>"
    )


def _thumb(item: ItemView) -> str:
    if not item.images:
        return '<span class="thumb none">text</span>'
    more = f'<span class="more">{len(item.images)}</span>' if len(item.images) > 1 else ""
    return (
        f'<span class="thumb"><img loading="lazy" src="studio/thumbs/{safe(item.images[0])}" '
        f'alt="">{more}</span>'
    )


def _labels(item: ItemView) -> str:
    if not item.pairs:
        return '<span class="chip">–</span>'
    if item.labels:
        word = "label" if item.labels == 1 else "labels"
        return (
            f'<span class="chip good"><span aria-hidden="true">●</span>{item.labels} {word}</span>'
        )
    return '<span class="chip"><span aria-hidden="true">○</span>not labelled</span>'


def _short_answers(item: ItemView) -> str:
    lines = [
        f'<span class="answer-line {tone}"><b>{word}</b> <span class="clip1">{safe(text)}</span></span>'
        for word, tone, text in _named_answers(item)[:3]
    ]
    return "".join(lines) or '<span class="quiet">none yet</span>'


def _answers(item: ItemView) -> str:
    authors = {candidate.text: candidate.author for candidate in item.candidates}
    cards = "".join(
        f'<div class="answer-card {tone}"><b>{word}</b>'
        f'<span class="quiet">{safe(authors.get(text, ""))}</span><p>{safe(text)}</p></div>'
        for word, tone, text in _named_answers(item)
    )
    return f'<div class="answer-cards">{cards or "No answers yet."}</div>'


def _named_answers(item: ItemView) -> list[tuple[str, str, str]]:
    """(word, tone, text) of every answer, the preferred one first."""
    preferred = next((pair for pair in item.pairs if pair.source_choice_id), None)
    return sorted(
        (_name(candidate, preferred) for candidate in item.candidates),
        key=lambda named: ("chosen", "rejected", "tie").index(named[1]),
    )


def _name(candidate: CandidateView, preferred: PairView | None) -> tuple[str, str, str]:
    if preferred and candidate.id in (preferred.first_id, preferred.second_id):
        if candidate.id == preferred.source_choice_id:
            return "Chosen", "chosen", candidate.text
        return "Rejected", "rejected", candidate.text
    return "Answer", "tie", candidate.text


def _turn(message: Message) -> str:
    pieces = (
        '<span class="image-place">▦ image</span>' if part.type == "image" else safe(part.text)
        for part in message.parts
    )
    return f'<p class="turn"><b>{message.role.capitalize()}</b> {"".join(pieces)}</p>'


def _preview_row(row: Row) -> str:
    thumb = (
        f'<span class="thumb"><img loading="lazy" src="studio/thumbs/{safe(row.images[0])}" alt="">'
        "</span>"
        if row.images
        else '<span class="thumb none">text</span>'
    )
    answers = [
        (word, tone, answer.text)
        for word, tone, answer in (
            ("Answer", "tie", row.completion),
            ("Chosen", "chosen", row.chosen),
            ("Rejected", "rejected", row.rejected),
        )
        if answer
    ]
    answers += [("Answer", "tie", answer.text) for answer in row.candidates]
    lines = "".join(
        f'<span class="answer-line {tone}"><b>{word}</b> <span class="clip1">{safe(text)}</span></span>'
        for word, tone, text in answers
    )
    return (
        f'<div class="preview-row">{thumb}<div><span class="clip2">{safe(row.question)}</span>'
        f"{lines}</div></div>"
    )
