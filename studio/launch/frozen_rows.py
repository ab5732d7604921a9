"""Training on the library: its rows are frozen first, so that every run can be made again."""

from __future__ import annotations

import re
import threading
from collections import Counter
from contextlib import closing

from studio.annotation import AnnotationStore, ItemFilter
from studio.annotation.library.trainable_rows import (
    TRAIN,
    TrainableRows,
    filters_of,
    parse_library,
    trainable_rows,
)
from studio.config import RunConfig
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.frozen_dataset import freeze_splits
from studio.data.image_store import ImageStore
from studio.data.manifest import LIBRARY_SPEC
from studio.data.schema import Row
from studio.data.sources.registry import LIBRARY
from studio.data.trl_conversion import unusable
from studio.data.trl_format import Method
from studio.launch.frozen_copies import Copies, Frozen

_ONE_AT_A_TIME = threading.Lock()


def library_choices(store: AnnotationStore, method: Method) -> list[tuple[str, str]]:
    """The datasets that `method` may learn from: words to show, and the source to write."""
    return [
        (f"{one.name} · {one.items:,} rows of the library", f"{LIBRARY}{one.name}")
        for one in store.datasets()
        if one.items and (one.pairs or method == "sft")
    ]


def with_frozen_data(
    config: RunConfig, workspace: Workspace, store: AnnotationStore | None = None
) -> RunConfig:
    """`config` with a `library:` source replaced by the frozen copy of its rows as they are now.

    Any other source stays. The same rows freeze to the same copy, however often.

    Args:
        store: The store that this process has open; None: one is opened when it is needed.

    Raises:
        DataError: No row can be trained on, or the dataset or a filter is unknown.
    """
    if not config.data.source.strip().startswith(LIBRARY):
        return config
    if store is None:
        with closing(AnnotationStore(workspace.database_url)) as opened:
            return with_frozen_data(config, workspace, opened)
    frozen = freeze_library(config.data.source, config.method, workspace, store)
    return config.model_copy(
        update={"data": config.data.model_copy(update={"source": frozen.source})}
    )


def freeze_library(
    spec: str, method: Method, workspace: Workspace, store: AnnotationStore
) -> Frozen:
    """Freeze `library:<dataset>[?filters]` (see `parse_library`) below `exports/`.

    Splits keep their names; rows of a single split are called `train`. Excluded rows, those in
    the bin and those that cannot teach `method` are left out and counted in the manifest. While
    the library stays as it is, so does the copy: it is not even read again. Copies that nothing
    needs any more go.

    Raises:
        DataError: No row can be trained on, or the dataset or a filter is unknown.
    """
    where = parse_library(spec.strip())
    made = _copy(spec.strip(), where, method, workspace, store)
    if not made.source:
        raise _nothing(where.dataset or "", Counter(made.left_out), method)
    return made


def _copy(
    spec: str, where: ItemFilter, method: Method, workspace: Workspace, store: AnnotationStore
) -> Frozen:
    """The copy of the library as it is, made if there is none; one at a time is made."""
    dataset = where.dataset or ""
    copies, state = Copies(workspace), store.trainable_state(dataset)
    if there := copies.find(where, method, state):
        return there
    _check_dataset(dataset, method, store)
    with _ONE_AT_A_TIME:
        state = store.trainable_state(dataset)
        if there := copies.find(where, method, state):
            return there
        made = _freeze(spec, where, method, workspace, store)
        if store.trainable_state(dataset) == state:
            copies.keep(where, method, state, made)
        copies.forget_unused()
    return made


def _check_dataset(dataset: str, method: Method, store: AnnotationStore) -> None:
    if dataset in {one.name for one in store.datasets()}:
        return
    there = ", ".join(source for _, source in library_choices(store, method)) or "none yet"
    raise DataError(
        f"There is no dataset {dataset[:200]!r} in the library.",
        remedy=f"There is: {there}.",
        field="data.source",
    )


def _freeze(
    spec: str, where: ItemFilter, method: Method, workspace: Workspace, store: AnnotationStore
) -> Frozen:
    found = _usable(trainable_rows(store, where, method), method, ImageStore(workspace))
    splits, left_out = _named(found.splits), dict(found.left_out)
    if not splits:
        return Frozen("", {}, left_out)
    manifest = {
        "dataset": where.dataset,
        LIBRARY_SPEC: spec,
        "filters": filters_of(where),
        "left_out": left_out,
    }
    path = freeze_splits(splits, f"{where.dataset}-{method}", workspace, manifest, method=method)
    rows = {split: len(members) for split, members in splits.items()}
    return Frozen(f"exports/{path.name}", rows, left_out)


def _usable(found: TrainableRows, method: Method, images: ImageStore) -> TrainableRows:
    kept = TrainableRows(left_out=Counter(found.left_out))
    for split, rows in found.splits.items():
        for row in rows:
            reason = unusable(row, method, images)
            if reason:
                kept.left_out[reason] += 1
            else:
                kept.splits[split].append(row)
    return kept


def _named(splits: dict[str, list[Row]]) -> dict[str, list[Row]]:
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
