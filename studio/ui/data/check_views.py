"""How a check looks: figures, the histogram of tokens, findings, and an image as a model sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from studio.annotation import ItemView
from studio.core.plurals import counted
from studio.preflight.client import CheckStatus, Kept, ShownImage
from studio.preflight.report import Bin, Finding, Report
from studio.ui.shared.html import bar, count, duration, notice
from studio.ui.shared.text_differences import safe

SEVERITY = {"error": ("✕", "Error"), "warning": ("!", "Warning"), "info": ("i", "Note")}
STAGES = {"model": "Opening the model's processor", "rows": "Reading", "images": "Measuring images"}
NAMED_REASONS = 6
EVERY_ROW = "It is about every row: without them there would be nothing to train on."
OF_THE_MODEL = ("asked_elsewhere", "no_end_token")
"""Findings about the model: no rows are to be shown or excluded for them."""
NOT_YET = (
    '<p class="quiet">Not checked yet. A check reads every row the way the model would: its tokens '
    "and tiles, what a maximum length would cut, repeats, leaks between splits, empty and "
    "contradicting answers. It changes nothing.</p>"
)


@dataclass(frozen=True)
class Exclusions:
    """How many rows of each finding are excluded now, by its id."""

    excluded: Mapping[str, int]

    def of(self, finding: Finding) -> int:
        return self.excluded.get(finding.id, 0)


def going(status: CheckStatus) -> str:
    """Draw a check on its way, or how it ended when there is no report."""
    if status.state == "failed":
        return notice("The check failed", status.error, tone="bad").replace("{", "&#123;")
    if status.state == "stopped":
        return notice("The check was stopped", "Nothing was changed.")
    if status.state != "checking":
        return ""
    said = STAGES.get(status.stage, status.stage)
    if status.total and status.stage != "model":
        things = "rows" if status.stage == "rows" else "sizes"
        said += f" {count(status.done)} of {count(status.total)} {things}"
    if status.seconds_left is not None:
        said += f" · {duration(status.seconds_left)} left"
    share = status.done / status.total if status.total else 0.0
    return (
        f'<div class="check-going"><p><b>Checking {safe(status.dataset)}</b> · {said}</p>'
        f'{bar(share)}<p class="quiet">You may leave; it goes on.</p></div>'
    )


def report(kept: Kept, exclusions: Exclusions, chosen: str, rows_now: int) -> str:
    """Draw a whole report.

    Args:
        chosen: Id of the finding whose rows are shown.
        rows_now: Rows of the dataset that are not excluded.
    """
    found = kept.report
    ago = duration(max(0, time.time() - kept.checked_at))
    counts = {name: sum(f.severity == name for f in found.findings) for name in SEVERITY}
    edge = kept.model.image.longest_edge
    scaled = f" at a longest edge of {edge:,} pixels" if edge else ""
    changed = ""
    if rows_now != found.rows:
        changed = (
            f'<p class="check-changed">The dataset has changed since: {count(rows_now)} '
            f"{'row' if rows_now == 1 else 'rows'} now. Check again to see what is left.</p>"
        )
    findings = "".join(_finding(one, found, exclusions, one.id == chosen) for one in found.findings)
    verdict = _verdict(counts)
    return (
        f'<div class="check-report"><p class="check-head"><b>{verdict}</b> '
        f'<span class="quiet">{counted(found.rows)} with {safe(found.model)}{scaled}, {ago} ago</span>'
        f'<a href="studio/checks/report.json?dataset={quote(found.source, safe="")}" download>'
        "Report as JSON</a></p>"
        f"{changed}{_figures(found)}{_histogram(found)}"
        f'<div class="check-findings">{findings}</div>{_rendering(found)}</div>'
    )


def strip(items: Sequence[ItemView], opened: str, title: str) -> str:
    """Thumbnails of rows; each is a button that shows the image as the model sees it."""
    questions = {sha: item.question for item in reversed(items) for sha in item.images}
    thumbs = "".join(
        f'<button class="check-thumb" data-image="{safe(sha)}" '
        f'aria-pressed="{str(sha == opened).lower()}" title="{safe(question[:200])}">'
        f'<img loading="lazy" src="studio/thumbs/{safe(sha)}" alt="Show what the model sees"></button>'
        for sha, question in reversed(questions.items())
    )
    if not thumbs:
        return ""
    return (
        f'<div class="check-sees"><p class="check-title">What the model sees</p>'
        f'<p class="quiet">{safe(title)}. Choose an image.</p>'
        f'<div class="check-strip">{thumbs}</div></div>'
    )


def sight(shown: ShownImage, image: str, model: str) -> str:
    """Draw an image beside what the model gets of it."""
    width, height = shown.original
    tiles = "1 tile" if shown.tiles == 1 else f"{shown.tiles} tiles"
    whole = ""
    if shown.overview:
        whole = (
            f'<figure><img src="{shown.overview}" alt="The whole image in one tile">'
            "<figcaption>and the whole in one tile</figcaption></figure>"
        )
    return (
        '<div class="check-sight"><figure>'
        f'<img src="studio/images/{safe(image)}" alt="The image itself">'
        f"<figcaption>The image: {width:,} × {height:,} pixels</figcaption></figure>"
        f'<figure><img class="seen" src="{shown.picture}" alt="What the model gets">'
        f"<figcaption>What {safe(model)} gets: {shown.width:,} × {shown.height:,} pixels, {tiles}, "
        f"{count(shown.tokens)} tokens</figcaption></figure>{whole}</div>"
    )


def _verdict(counts: Mapping[str, int]) -> str:
    words = {"error": "errors", "warning": "warnings", "info": "notes"}
    said = [
        f"{number} {words[name] if number != 1 else words[name][:-1]}"
        for name, number in counts.items()
        if number
    ]
    return ", ".join(said) if said else "Nothing was found to be wrong"


def _figures(found: Report) -> str:
    tokens, images, bias = found.tokens, found.images, found.length_bias
    figures = [
        (
            "Tokens a row",
            count(tokens.median),
            f"95 % ≤ {count(tokens.p95)} · max {count(tokens.max)}",
        ),
        ("Image tokens", f"{tokens.image_share:.0%}", f"{count(tokens.images_median)} a row"),
    ]
    if images.seen:
        tiles = f" · {images.tiles_median} tiles" if (images.tiles_max or 1) > 1 else ""
        figures.append(
            (
                "Seen",
                f"{images.seen[0]} × {images.seen[1]}",
                f"of {images.width_median} × {images.height_median}{tiles}",
            )
        )
    if bias.pairs:
        figures.append(
            (
                "Chosen is longer",
                f"{bias.chosen_longer:.0%}",
                f"{bias.mean_gap:+.0f} tokens on average",
            )
        )
    figures.append(("Repeated", count(found.duplicates), f"{count(found.unreadable)} unreadable"))
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd><span>{more}</span></div>"
        for name, value, more in figures
    )
    return f'<dl class="check-figures">{cells}</dl>'


def _histogram(found: Report) -> str:
    bins = found.tokens.histogram
    if len(bins) < 2:
        return ""
    most = max(one.rows for one in bins)
    low, high = bins[0].start, bins[-1].end
    bars = "".join(_bar(one, most) for one in bins)
    limit, mark = found.truncation.max_length, ""
    if limit and low < limit < high:
        place = 100 * (limit - low) / (high - low)
        mark = f'<span class="check-limit" style="left:{place:.2f}%"><i>{count(limit)}</i></span>'
    return (
        '<figure class="check-histogram"><figcaption>Rows by tokens</figcaption>'
        f'<div class="check-bars">{bars}{mark}</div>'
        f'<div class="check-axis"><span>{count(low)}</span><span>{count((low + high) // 2)}</span>'
        f"<span>{count(high)} tokens</span></div></figure>"
    )


def _rendering(found: Report) -> str:
    """Draw a row as the model reads it, with what is learned marked."""
    if found.rendering is None:
        return ""
    pieces = "".join(
        f"<mark>{_spelled(piece.text)}</mark>" if piece.scored else _spelled(piece.text)
        for piece in found.rendering.pieces
    )
    which = "item" if found.numbers == "items" else "row"
    return (
        f'<details class="check-rendering"><summary>What the model reads of {which} '
        f"{found.rendering.row}, and what it learns</summary>"
        '<p class="quiet">Marked: what is learned, with all that the chat template writes behind an '
        "answer; ↵ is a line break. An image stands for all its tokens.</p>"
        f"<pre>{pieces}</pre></details>"
    )


def _spelled(text: str) -> str:
    return safe(text).replace("\n", "↵\n")


def _bar(one: Bin, most: int) -> str:
    height = 100 * one.rows / most
    least = "min-height:1px;" if one.rows else ""
    said = f"{one.start:,}–{one.end - 1:,} tokens: {counted(one.rows)}"
    return f'<span title="{said}"><i style="{least}height:{height:.1f}%"></i></span>'


def _finding(one: Finding, found: Report, exclusions: Exclusions, chosen: bool) -> str:
    shape, word = SEVERITY[one.severity]
    reasons = "".join(
        f"<li>Row {number}: {safe(reason)}</li>"
        for number, reason in list(one.reasons.items())[:NAMED_REASONS]
    )
    more = len(one.reasons) - NAMED_REASONS
    reasons += f"<li>and {count(more)} more</li>" if more > 0 else ""
    return (
        f'<section class="check-finding {one.severity}" aria-current="{str(chosen).lower()}">'
        f'<span class="check-mark"><span aria-hidden="true">{shape}</span>{word}</span>'
        f'<div><p>{safe(one.message)}</p><p class="quiet">{safe(one.remedy)}</p>'
        f"{f'<ul>{reasons}</ul>' if reasons else ''}{_buttons(one, found, exclusions)}</div></section>"
    )


def _buttons(one: Finding, found: Report, exclusions: Exclusions) -> str:
    """Show the rows, and exclude them where something would be left."""
    if not found.rows or found.numbers != "items" or one.id in OF_THE_MODEL:
        return ""
    number = len(one.rows) or found.rows
    everything = number >= found.rows
    rows = "the row" if number == 1 else f"{'all' if everything else 'the'} {count(number)} rows"
    them = "it" if number == 1 else "them"
    buttons = [_button("show", one.id, f"Show {rows}")]
    excluded = exclusions.of(one)
    if excluded:
        done = (
            "Excluded" if excluded == number else f"{count(excluded)} of {count(number)} excluded"
        )
        buttons.append(f'<span class="check-done">✓ {done}</span>')
        buttons.append(_button("include", one.id, f"Let {them} in again"))
    if everything:
        buttons.append(f"<button disabled>Exclude {them}</button>")
        buttons.append(f'<span class="check-done">{EVERY_ROW}</span>')
    elif excluded < number:
        buttons.append(_button("exclude", one.id, f"Exclude {them}"))
    return f'<div class="check-actions">{"".join(buttons)}</div>'


def _button(action: str, finding: str, words: str) -> str:
    return f'<button data-action="{action}" data-finding="{safe(finding)}">{words}</button>'
