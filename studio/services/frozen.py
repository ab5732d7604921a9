"""Training on the library: its rows are frozen first, so that every run can be made again."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.annotation import AnnotationStore
from studio.annotation.trainable import (
    TRAIN,
    Trainable,
    filters_of,
    parse_library,
    trainable_rows,
)
from studio.config import RunConfig
from studio.data.convert import unusable
from studio.data.freeze import freeze_splits
from studio.data.images import ImageStore
from studio.data.schema import Row
from studio.data.sources.registry import LIBRARY
from studio.data.trl_format import Method
from studio.errors import DataError
from studio.paths import Workspace

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Frozen:
    """A frozen copy of library rows.

    Attributes:
        source: What a run file calls it: `exports/<name>-<hash>`.
        rows: Rows by split.
        left_out: Items left out, by reason.
    """

    source: str
    rows: dict[str, int]
    left_out: dict[str, int] = field(default_factory=dict)


def library_choices(store: AnnotationStore, method: Method) -> list[tuple[str, str]]:
    """The datasets that `method` may learn from: words to show, and the source to write."""
    return [
        (f"{one.name} · {one.items:,} rows of the library", f"{LIBRARY}{one.name}")
        for one in store.datasets()
        if one.items and (one.pairs or method == "sft")
    ]


def with_frozen_data(config: RunConfig, workspace: Workspace) -> RunConfig:
    """`config` with a `library:` source replaced by the frozen copy of its rows as they are now.

    Any other source stays. The same rows freeze to the same copy, however often.

    Raises:
        DataError: No row can be trained on, or the dataset or a filter is unknown.
    """
    if not config.data.source.strip().startswith(LIBRARY):
        return config
    store = AnnotationStore(workspace.database_url)
    try:
        frozen = freeze_library(config.data.source, config.method, workspace, store)
    finally:
        store.close()
    return config.model_copy(
        update={"data": config.data.model_copy(update={"source": frozen.source})}
    )


def freeze_library(
    spec: str, method: Method, workspace: Workspace, store: AnnotationStore
) -> Frozen:
    """Freeze `library:<dataset>[?filters]` (see `parse_library`) below `exports/`.

    Splits keep their names; rows of a single split are called `train`. Excluded rows, those in
    the bin and those that cannot teach `method` are left out and counted in the manifest.

    Raises:
        DataError: No row can be trained on, or the dataset or a filter is unknown.
    """
    where = parse_library(spec.strip())
    if where.dataset not in {one.name for one in store.datasets()}:
        there = ", ".join(source for _, source in library_choices(store, method)) or "none yet"
        raise DataError(
            f"There is no dataset {where.dataset[:200]!r} in the library.",
            remedy=f"There is: {there}.",
            field="data.source",
        )
    found = _usable(trainable_rows(store, where, method), method, ImageStore(workspace))
    splits = _named(found.splits)
    if not splits:
        raise _nothing(where.dataset, found.left_out, method)
    manifest = {
        "dataset": where.dataset,
        "library": spec.strip(),
        "filters": filters_of(where),
        "left_out": dict(found.left_out),
    }
    with _ONE_AT_A_TIME:
        path = freeze_splits(
            splits, f"{where.dataset}-{method}", workspace, manifest, method=method
        )
    return Frozen(
        f"exports/{path.name}",
        {split: len(rows) for split, rows in splits.items()},
        dict(found.left_out),
    )


def _usable(found: Trainable, method: Method, images: ImageStore) -> Trainable:
    kept = Trainable(left_out=Counter(found.left_out))
    for split, rows in found.splits.items():
        for row in rows:
            reason = unusable(row, method, images)
            if reason:
                kept.left_out[reason] += 1
            else:
                kept.splits[split].append(row)
    return kept


def _named(splits: dict[str, list[Row]]) -> dict[str, Sequence[Row]]:
    """The splits under names that a run file can write."""
    if len(splits) == 1:
        return {TRAIN: next(iter(splits.values()))}
    named: dict[str, list[Row]] = {}
    for split, rows in splits.items():
        named.setdefault(re.sub(r"[^\w.+-]+", "-", split).strip("-") or TRAIN, []).extend(rows)
    return named


def _nothing(dataset: str, left_out: Counter[str], method: Method) -> DataError:
    why = ", ".join(f"{number:,}: {reason}" for reason, number in left_out.most_common(3))
    needed = "pairs of which one answer is preferred" if method == "dpo" else "rows with an answer"
    return DataError(
        f"Nothing in {dataset!r} can be trained on{f' ({why})' if why else ''}.",
        remedy=f"{method.upper()} needs {needed}: label some, or loosen the filters.",
        field="data.source",
    )
