"""The rows of the library as a table or a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.annotation import CandidateView, ItemView, PairView
from studio.ui.shared.html import empty
from studio.ui.shared.text_differences import differences, safe

SHORT = 400  # characters of an answer that a table cell may show
NOTHING_FOUND = empty("No rows match", "Loosen the search or the filters.")


def nothing_left(dataset: str | None, *, just_deleted: bool) -> str:
    """Draw what stands where a whole dataset would: nobody has narrowed it, it has no rows."""
    title = f"{dataset} has no rows left" if dataset else "There are no rows left"
    back = "Undo brings back what was deleted. " if just_deleted else ""
    return empty(title, f"{back}Those that were deleted are under “In the bin”; or import others.")


@dataclass(frozen=True)
class Named:
    """One answer under the name it is shown by."""

    word: str
    tone: str
    candidate: CandidateView


def table(items: list[ItemView], opened: int | None, ticked: frozenset[int]) -> str:
    """Rows under headings; the answers of a preference side by side."""
    every = bool(items) and all(item.id in ticked for item in items)
    head = f"<th>{_tick('page', every, 'All rows of this page')}</th><th></th>"
    split = all(_preferred(item) for item in items if len(item.candidates) > 1)
    split = split and any(_preferred(item) for item in items)
    answers = "<th>Chosen</th><th>Rejected</th>" if split else '<th colspan="2">Answers</th>'
    head += f"<th>Question</th>{answers}<th>Status</th>"
    rows = "".join(_row(item, item.id == opened, item.id in ticked, split) for item in items)
    return (
        f'<table class="library-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def veil_line(shown: Sequence[ItemView], items: Sequence[ItemView]) -> str:
    """What is hidden of rows whose pairs wait, or is not though they wait, with the way to change it.

    Args:
        shown: The rows as they are seen.
        items: The same rows as they are.
    """
    both = list(zip(shown, items, strict=True))
    hidden = sorted({one.dataset for one, _ in both if one.veiled})
    seen = sorted({one.dataset for one, item in both if item.waits and not one.veiled})
    buttons = [_veil_button("reveal", "Show what is known", name, hidden + seen) for name in hidden]
    buttons += [_veil_button("veil", "Hide it again", name, hidden + seen) for name in seen]
    if not buttons:
        return ""
    said = "Answers of pairs that wait for labels stand in a shuffled order; who wrote them and "
    said += "which one is preferred is hidden until they are judged."
    if not hidden:
        said = "You see what is known of pairs that wait for labels; your own are not blind there."
    return f'<p class="veil-line quiet">{said} {" ".join(buttons)}</p>'


def _veil_button(what: str, words: str, dataset: str, all_of: Sequence[str]) -> str:
    of = f" of {safe(dataset)}" if len(all_of) > 1 else ""
    return f'<button class="quiet" data-{what}="{safe(dataset)}">{words}{of}</button>'


def gallery(items: list[ItemView], opened: int | None, ticked: frozenset[int]) -> str:
    """Thumbnails with their questions and answers."""
    cards = "".join(_card(item, item.id == opened, item.id in ticked) for item in items)
    return f'<div class="library-gallery">{cards}</div>'


def named_answers(item: ItemView) -> list[Named]:
    """Every answer, the preferred one first."""
    if item.veiled:
        numbered = enumerate(item.candidates, 1)
        return [Named(f"Answer {number}", "tie", one) for number, one in numbered]
    preferred = _preferred(item)
    named = [_named(candidate, preferred) for candidate in item.candidates]
    return sorted(named, key=lambda answer: ("chosen", "rejected", "tie").index(answer.tone))


def _preferred(item: ItemView) -> PairView | None:
    return next((pair for pair in item.pairs if pair.preferred_id is not None), None)


def thumb(images: tuple[str, ...]) -> str:
    """Draw the first image, small, with the number of all."""
    if not images:
        return '<span class="thumb none">text</span>'
    more = f'<span class="more">{len(images)}</span>' if len(images) > 1 else ""
    return (
        f'<span class="thumb"><img loading="lazy" src="studio/thumbs/{safe(images[0])}" '
        f'alt="">{more}</span>'
    )


def status(item: ItemView) -> str:
    """Labels, agreement and marks, each as a shape and a word."""
    chips = [_labels(item)]
    if item.agreement is not None:
        chips.append(_chip("≍", f"agree {item.agreement:.0%}"))
    if item.excluded:
        chips.append(_chip("⊘", "excluded", "bad"))
    if item.flagged:
        chips.append(_chip("⚑", "flagged", "active"))
    if item.deleted:
        chips.append(_chip("✕", "in the bin", "bad"))
    chips += [f'<span class="tag">{safe(tag)}</span>' for tag in item.tags]
    return f'<span class="chips">{"".join(chips)}</span>'


def _row(item: ItemView, opened: bool, ticked: bool, split: bool) -> str:
    return (
        f'<tr data-item="{item.id}" tabindex="0" aria-selected="{str(opened).lower()}">'
        f"<td>{_tick(item.id, ticked, 'Select this row')}</td><td>{thumb(item.images)}</td>"
        f'<td><span class="clip4">{safe(item.question)}</span></td>'
        f"{_answer_cells(item, split)}<td>{status(item)}</td></tr>"
    )


def _card(item: ItemView, opened: bool, ticked: bool) -> str:
    return (
        f'<div class="library-card" role="button" tabindex="0" data-item="{item.id}" '
        f'aria-pressed="{str(opened).lower()}">{_tick(item.id, ticked, "Select this row")}'
        f'{thumb(item.images)}<span class="clip2 question">{safe(item.question)}</span>'
        f"{_lines(item)}{status(item)}</div>"
    )


def _tick(key: int | str, on: bool, label: str) -> str:
    checked = " checked" if on else ""
    return f'<input type="checkbox" data-tick="{key}" aria-label="{label}"{checked}>'


def _answer_cells(item: ItemView, split: bool) -> str:
    """Two cells, named by the headings when these are split, else by a word in each."""
    answers = named_answers(item)
    preferred = len(answers) > 1 and answers[0].tone == "chosen"
    if preferred or (len(answers) == 2 and not split):
        sides = differences(*(answer.candidate.text[:SHORT] for answer in answers[:2]))
        pairs = zip(answers, sides, strict=False)
        return "".join(_answer_cell(answer, side, split) for answer, side in pairs)
    return f'<td colspan="2">{_lines(item, named=split)}</td>'


def _answer_cell(answer: Named, text: str, split: bool) -> str:
    """One cell; where a heading names it, phones show the word that `data-word` holds."""
    word = f' data-word="{answer.word}"' if split else ""
    return (
        f'<td class="{answer.tone}"{word}>'
        f'<span class="clip4">{_word(answer, split)}{text}</span></td>'
    )


def _word(answer: Named, split: bool) -> str:
    """Draw the name of an answer where no heading tells it."""
    return "" if split or answer.tone == "tie" else f"<b>{answer.word}</b> "


def _lines(item: ItemView, named: bool = True) -> str:
    answers = named_answers(item)
    shown = [answer.candidate.text[:SHORT] for answer in answers[:3]]
    sides = [safe(text) for text in shown]
    if len(answers) > 1 and answers[0].tone == "chosen":
        sides[:2] = differences(*shown[:2])
    lines = [
        f'<span class="answer-line {answer.tone}">{f"<b>{answer.word}</b> " if named else ""}'
        f'<span class="clip2">{side}</span></span>'
        for answer, side in zip(answers, sides, strict=False)
    ]
    return "".join(lines) or '<span class="quiet">no answer yet</span>'


def _named(candidate: CandidateView, preferred: PairView | None) -> Named:
    if preferred and candidate.id in (preferred.first_id, preferred.second_id):
        if candidate.id == preferred.preferred_id:
            return Named("Chosen", "chosen", candidate)
        return Named("Rejected", "rejected", candidate)
    return Named("Answer", "tie", candidate)


def _labels(item: ItemView) -> str:
    if not item.pairs:
        return _chip("–", "no pair")
    if item.labels:
        return _chip("●", f"{item.labels} {'label' if item.labels == 1 else 'labels'}", "good")
    return _chip("○", "not labelled")


def _chip(shape: str, word: str, tone: str = "") -> str:
    return f'<span class="chip {tone}"><span aria-hidden="true">{shape}</span>{word}</span>'
