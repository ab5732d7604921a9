"""The rows of an evaluation: read from a source, or held out by a run; kept as they were."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.config.data import DataConfig
from studio.core.errors import DataError, InputError
from studio.core.paths import Workspace, write_atomic
from studio.data.image_split import split_by_image
from studio.data.schema import Answer, BadRow, Message, Part, Row, plain_row
from studio.data.sources import open_source
from studio.data.trl_conversion import held_out_share
from studio.evaluation.benchmarks import Benchmark, find_benchmark, is_benchmark
from studio.runs.run_names import find_run
from studio.runs.store import Run, RunStore

RUN = "run:"
"""`run:RUN` as a source: the rows that a run holds out."""
ANSWERS = ("completion", "chosen", "rejected")
MOST_RUNS = 20


@dataclass(frozen=True)
class RowChoice:
    """Rows to be evaluated.

    Attributes:
        source: Where they are from, in words.
        left_out: Rows that cannot be read, by the reason.
    """

    source: str
    rows: tuple[Row, ...]
    left_out: Mapping[str, int]


def choose_rows(
    spec: str,
    workspace: Workspace,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> RowChoice:
    """Read the rows of a source, those that a run holds out (`run:RUN`), or a benchmark's.

    Raises:
        DataError: It cannot be read, or has no row.
        NotFoundError: There is no such run or benchmark.
    """
    if spec.startswith(RUN):
        run = find_run(RunStore(workspace), spec.removeprefix(RUN), "data")
        return chosen(f"rows held out by {run.run_id}", held_out_rows(run, workspace), limit)
    if is_benchmark(spec):
        return _benchmark_rows(find_benchmark(spec), workspace, split, columns, limit)
    source = open_source(
        spec, split=split, columns=columns, workspace=workspace, split_field="split"
    )
    return chosen(f"{source.label}, {source.split}", source.rows(), limit)


def _benchmark_rows(
    benchmark: Benchmark,
    workspace: Workspace,
    split: str | None,
    columns: Mapping[str, str] | None,
    limit: int | None,
) -> RowChoice:
    """The rows of a benchmark, asked as it asks; another split or other columns may be named."""
    source = open_source(
        benchmark.source,
        split=split or benchmark.split,
        columns={**benchmark.columns, **(columns or {})},
        workspace=workspace,
        split_field="split",
    )
    asked = (row if isinstance(row, BadRow) else benchmark.asked(row) for row in source.rows())
    return chosen(f"{benchmark.label}: {source.label}, {source.split}", asked, limit)


def chosen(source: str, rows: Iterable[Row | BadRow], limit: int | None) -> RowChoice:
    """Take the first rows that can be read, with one id each.

    Raises:
        DataError: There is none.
    """
    good: list[Row] = []
    bad: Counter[str] = Counter()
    for row in rows:
        if limit is not None and len(good) == limit:
            break
        if isinstance(row, BadRow):
            bad[row.reason] += 1
        else:
            good.append(row)
    if not good:
        why = f" ({bad.most_common(1)[0][0]})" if bad else ""
        raise DataError(
            f"There is no row to evaluate in {source}{why}.",
            remedy="Choose another source or split.",
            field="data",
        )
    return RowChoice(source, tuple(good), dict(bad))


def with_system_prompt(rows: Sequence[Row], text: str) -> tuple[Row, ...]:
    """Put a system turn in front of rows that have none."""
    turn = Message("system", (Part("text", text),))
    return tuple(
        row
        if row.prompt and row.prompt[0].role == "system"
        else replace(row, prompt=(turn, *row.prompt))
        for row in rows
    )


def spread(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    """Return at most so many rows, evenly taken from the whole."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[place * len(rows) // most] for place in range(most))


def held_out_rows(run: Run, workspace: Workspace) -> list[Row]:
    """Return the rows that a run evaluates on, none of which shares an image with its training.

    Raises:
        DataError: It holds none out, or its data cannot be read.
    """
    data = run.config.data
    if not data.evaluation:
        raise DataError(
            f"Run {run.run_id} holds no rows out.",
            remedy="Set data.evaluation, for example to 10%, and train again; or name other rows.",
            field="data",
        )
    train, held = _split(data, workspace)
    seen = {sha for row in train for sha in row.images}
    return [row for row in held if not seen.intersection(row.images)]


def trained_images(run: Run, workspace: Workspace) -> set[str]:
    """Return the images (sha256) that a run has trained on, with those of runs it goes on from.

    Raises:
        DataError: Its data cannot be read any more.
    """
    store, images = RunStore(workspace), set[str]()
    for _ in range(MOST_RUNS):
        train, _ = _split(run.config.data, workspace)
        images.update(sha for row in train for sha in row.images)
        before = run.config.adapter.continue_from if run.config.adapter else None
        if not before or not workspace.run(before).config.is_file():
            break
        run = store.get(before)
    return images


def _split(data: DataConfig, workspace: Workspace) -> tuple[list[Row], list[Row]]:
    train = _read(data, data.train, "data.train", workspace)
    share = held_out_share(data.evaluation)
    if share is not None:
        return split_by_image(train, share)
    if not data.evaluation:
        return train, []
    return train, _read(data, data.evaluation, "data.evaluation", workspace)


def _read(data: DataConfig, split: str, field: str, workspace: Workspace) -> list[Row]:
    opened = open_source(
        data.source,
        split=split,
        columns=data.columns,
        workspace=workspace,
        split_field=field,
        where=data.where,
    )
    return [row for row in opened.rows() if isinstance(row, Row)]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Keep rows in a file, one a line."""
    lines = (json.dumps(plain_row(row)) for row in rows)
    write_atomic(path, "".join(f"{line}\n" for line in lines))


def read_rows(path: Path) -> list[Row]:
    """Read the rows that `write_rows` has kept.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        return [_row(json.loads(line)) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"The rows of the evaluation, {path}, cannot be read: {error}.",
            remedy="Delete this evaluation and evaluate again.",
        ) from error


def _row(values: dict[str, Any]) -> Row:
    completion, preferred, rejected = (
        Answer(**values[name]) if values[name] else None for name in ANSWERS
    )
    prompt = [
        Message(
            turn["role"], tuple(Part(**part) for part in turn["parts"]), turn.get("scored", True)
        )
        for turn in values["prompt"]
    ]
    return Row(
        external_id=values["external_id"],
        images=tuple(values["images"]),
        prompt=tuple(prompt),
        completion=completion,
        chosen=preferred,
        rejected=rejected,
        candidates=tuple(Answer(**answer) for answer in values["candidates"]),
        meta=values["meta"],
    )
