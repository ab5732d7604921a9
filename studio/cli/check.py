"""Checking rows before anything is trained on them."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.data import mapping
from studio.cli.import_report import fields_json, unused_lines
from studio.cli.model_options import ColumnsOption, LimitOption, SameBaseOption
from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.config.run import Method
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.sources.registry import LIBRARY
from studio.preflight.report import Finding, Rendering, Report

if TYPE_CHECKING:
    from studio.config.model import ModelConfig
    from studio.data.checked_rows import NumberedRows

MARKS = {"error": "✕", "warning": "!", "info": "·"}
SHOWN_ROWS = 8
SHOWN_REASONS = 20
SHOWN_TEXT = 400
OPEN, CLOSE = "⟦", "⟧"
TELL_EVERY = 1.0  # seconds
FEW_DONE = 20


def check(
    source: Annotated[
        str,
        typer.Argument(
            help="Hub id, file, folder, exports/<name>, embedded:<sample> or library:<dataset>."
        ),
    ],
    model: Annotated[
        str, typer.Option(help='Whose processor counts: a hub id, a folder or "embedded".')
    ] = "embedded",
    max_length: Annotated[
        int | None, typer.Option(min=1, help="The most tokens of a row, as data.max_length.")
    ] = None,
    longest_edge: Annotated[
        int | None, typer.Option(min=32, help="Pixel budget, as model.image.longest_edge.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="One split or a slice, for example train[:10%]; else all.")
    ] = None,
    column: ColumnsOption = None,
    limit: LimitOption = None,
    adapter: Annotated[
        str | None,
        typer.Option(help="Run id or adapter folder to be trained further: does it fit the model?"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="How the adapter will be trained: sft or dpo.", show_default="sft"),
    ] = None,
    same_base: SameBaseOption = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Check rows: what the model will see, and what should not be trained on."""
    from studio.models.log_levels import quiet_libraries

    place = locate(workspace)
    quiet_libraries()
    from studio.config.model import ImageConfig, ModelConfig
    from studio.preflight.check import check_rows
    from studio.preflight.model_processor import open_model

    config = ModelConfig(id=model, image=ImageConfig(longest_edge=longest_edge))
    if adapter is not None:
        _check_adapter(adapter, config, place, method or "sft", same_base)
    elif method or same_base:
        raise InputError(
            "--method and --same-base are about an adapter.", remedy="Name it with --adapter."
        )
    with ExitStack() as opened:
        rows = _rows(opened, place, source, split=split, columns=mapping(column), limit=limit)
        found = _finish(check_rows(rows, place, open_model(config), max_length=max_length))
        fields = rows.fields()
    if json:
        print_json(found.to_json() | {"fields": fields_json(fields)})
    else:
        typer.echo("\n".join([describe(found), *unused_lines(fields)]))
    return 0


def _rows(opened: ExitStack, place: Workspace, source: str, **chosen: Any) -> NumberedRows:
    """Return the rows to check; a store that they are read from stays open as long as `opened`."""
    from studio.data.checked_rows import source_rows

    if not source.startswith(LIBRARY):
        return source_rows(source, place, **chosen)
    unused = [name for name, value in chosen.items() if value]
    if unused:
        raise InputError(
            f"Rows of the library are checked as they are, without {' and '.join(unused)}.",
            remedy="Leave that out; narrow them down in the address: library:<dataset>?split=train.",
        )
    from studio.annotation import AnnotationStore
    from studio.annotation.library.preflight_rows import library_rows
    from studio.annotation.library.trainable_rows import parse_library

    where = parse_library(source)
    store = opened.enter_context(closing(AnnotationStore(place.database_url)))
    return library_rows(store, where.dataset or "", where)


def _check_adapter(
    name: str, model: ModelConfig, place: Workspace, method: str, same_base: bool
) -> None:
    """Refuse an adapter that cannot be trained further on the model."""
    from studio.core.errors import NotFoundError
    from studio.models.adapter_config import adapter_folder
    from studio.models.adapter_weights import check_adapter

    if method not in ("sft", "dpo"):
        raise NotFoundError(
            f"There is no method {method!r}.", remedy="Use sft or dpo.", field="method"
        )
    folder = adapter_folder(name, place, field="adapter")
    purpose: Method = "dpo" if method == "dpo" else "sft"
    check_adapter(folder, model, purpose=purpose, field="adapter", same_base=same_base)
    say(f"adapter: {name} fits {model.id}")


def _finish(going) -> Report:
    """Go through a check, telling how far it is."""
    began = told = time.monotonic()
    stage = ""
    while True:
        try:
            step = next(going)
        except StopIteration as end:
            return end.value
        now = time.monotonic()
        if step.stage != stage:
            stage, began = step.stage, now
        if now - told >= TELL_EVERY:
            told = now
            left = ""
            if step.total and step.done > FEW_DONE:
                left = f", {(now - began) * (step.total - step.done) / step.done:.0f} s left"
            of = f" of {step.total:,}" if step.total else ""
            say(f"{step.stage}: {step.done:,}{of}{left}")


def describe(found: Report) -> str:
    """Return a report in a few lines."""
    tokens, bias, cut = found.tokens, found.length_bias, found.truncation
    lines = [
        f"{found.source}: {counted(found.rows)}, {counted(found.images.distinct, 'image')}, "
        f"{found.unreadable:,} unreadable, {found.duplicates:,} repeated",
        f"tokens with {found.model}: median {tokens.median:,}, 95 % up to {tokens.p95:,}, "
        f"at most {tokens.max:,}; {tokens.image_share:.0%} of them are image tokens",
    ]
    if cut.max_length and cut.asked:
        lines.append(
            f"{counted(cut.rows)} {'is' if cut.rows == 1 else 'are'} longer than {cut.max_length:,} tokens, "
            f"{cut.through_images:,} of them with their images alone"
        )
    if bias.pairs:
        lines.append(
            f"chosen is longer in {bias.chosen_longer:.0%} of {bias.pairs:,} pairs, "
            f"{bias.mean_gap:+.1f} tokens on average"
        )
    lines += [line for finding in found.findings for line in _told(finding)]
    if found.rendering:
        lines += _rendered(found.rendering)
    if not found.findings:
        lines.append("Nothing was found to be wrong." if found.rows else "There are no rows.")
    return "\n".join(lines)


def _rendered(rendering: Rendering) -> list[str]:
    """A row as the model reads it; line breaks spelled out, what is learned between marks."""
    parts = [
        f"{OPEN}{_spelled(piece.text)}{CLOSE}" if piece.scored else _spelled(piece.text)
        for piece in rendering.pieces
    ]
    return [
        f"row {rendering.row} as the model reads it; what is learned is between {OPEN} and {CLOSE}:",
        f"    {''.join(parts)}",
    ]


def _spelled(text: str) -> str:
    shown = (
        text
        if len(text) <= SHOWN_TEXT
        else f"{text[: SHOWN_TEXT // 2]} … {text[-SHOWN_TEXT // 2 :]}"
    )
    return shown.replace("\n", "↵")


def _told(finding: Finding) -> list[str]:
    numbers = ", ".join(map(str, finding.rows[:SHOWN_ROWS]))
    more = ", …" if len(finding.rows) > SHOWN_ROWS else ""
    lines = [f"{MARKS[finding.severity]} {finding.message}", f"    {finding.remedy}"]
    if finding.reasons:
        some = list(finding.reasons.items())[:SHOWN_REASONS]
        lines += [f"    row {number}: {reason}" for number, reason in some]
        if len(finding.reasons) > SHOWN_REASONS:
            lines.append(f"    … and {len(finding.reasons) - SHOWN_REASONS:,} more (--json)")
    elif numbers:
        lines.append(f"    rows {numbers}{more}")
    return lines
