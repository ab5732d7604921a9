"""The rows of a dataset of the library, as training would get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from studio.annotation import AnnotationStore, ExportPolicy, ItemFilter, ItemView, PairView
from studio.core.errors import NotFoundError
from studio.core.paths import Workspace
from studio.data.checked_rows import TRAIN, Entry, NumberedRows
from studio.data.schema import VERDICT, Answer, Row

Preference = tuple[Answer, Answer]


def library_rows(
    store: AnnotationStore, dataset: str, where: ItemFilter | None = None
) -> NumberedRows:
    """Read the items of a dataset that are neither excluded nor deleted, numbered by item id.

    `where` narrows them down, as `trainable.parse_library` reads it.

    A row's preference is what people voted for or, without votes, what the source preferred. In
    a dataset of pairs an item with a single answer is half a pair: its other answer said the same.

    Raises:
        NotFoundError: There is no such dataset.
    """
    view = next((known for known in store.datasets() if known.name == dataset), None)
    if view is None:
        raise NotFoundError(
            f"There is no dataset {dataset[:200]!r} in the library.", remedy="Import it first."
        )
    where = where or ItemFilter(dataset=dataset, excluded=False)
    voted = store.preferences(dataset, ExportPolicy()) if view.labelled else []
    decided = {int(str(row.meta["pair"])): row.preference for row in voted}

    def entries() -> Iterator[Entry]:
        for item in store.every(where):
            row = row_of(item, decided)
            alone = len(row.candidates) == 1 and item.meta.get(VERDICT) != "bad"
            if view.pairs and not item.pairs and alone:
                row = replace(row, chosen=row.candidates[0], candidates=())
            yield Entry(item.id, item.split or TRAIN, row)

    return NumberedRows(dataset, (), store.count(where), entries, "items")


@contextmanager
def opened_rows(workspace: Workspace, dataset: str) -> Iterator[NumberedRows]:
    """Open a store for as long as its rows are read; for the checking child."""
    store = AnnotationStore(workspace.database_url)
    try:
        yield library_rows(store, dataset)
    finally:
        store.close()


def row_of(item: ItemView, decided: dict[int, Preference]) -> Row:
    """Turn an item into one row.

    Args:
        decided: Pair → chosen and rejected, where people voted.
    """
    answers = {candidate.id: candidate.answer for candidate in item.candidates}
    preference = next(
        (preferred for pair in item.pairs if (preferred := _preference(pair, answers, decided))),
        None,
    )
    reference = next(
        (answers[candidate.id] for candidate in item.candidates if candidate.reference), None
    )
    chosen, rejected = preference or (None, None)
    return Row(
        external_id=item.external_id,
        images=item.images,
        prompt=item.prompt,
        completion=reference,
        chosen=chosen,
        rejected=rejected,
        candidates=() if reference or preference else tuple(answers.values()),
        meta=item.meta,
    )


def _preference(
    pair: PairView, answers: dict[int, Answer], decided: dict[int, Preference]
) -> Preference | None:
    if pair.id in decided:
        return decided[pair.id]
    if pair.source_choice_id is None or pair.votes:
        return None
    other = pair.second_id if pair.source_choice_id == pair.first_id else pair.first_id
    return answers[pair.source_choice_id], answers[other]
