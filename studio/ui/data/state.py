"""What the library shows: which filter, order and page, what is selected. Plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Literal

from studio.annotation import AnnotationStore, ItemFilter, ItemView
from studio.annotation.library.blinding import veiled
from studio.annotation.records import Order
from studio.api.after_response import after_answer
from studio.api.upload_folders import without_folder

PAGE = 20
COUNTED = 10_000  # finds of a search; beyond, there are just more
LABELS = {"Any labels": None, "Labelled": True, "Not labelled": False}
MARKS: dict[str, dict[str, Any]] = {
    "All rows": {},
    "Flagged": {"flagged": True},
    "Excluded": {"excluded": True},
    "Not excluded": {"excluded": False},
    "In the bin": {"deleted": True},
    "Bad answers": {"verdict": "bad"},
    "Good answers": {"verdict": "good"},
}
AGREEMENTS: dict[str, Literal["agree", "disagree"] | None] = {
    "Any votes": None,
    "All agree": "agree",
    "Disputed": "disagree",
}
ORDERS: dict[str, Order] = {
    "Oldest first": "oldest",
    "Newest first": "newest",
    "Longest answers first": "longest",
    "Shortest answers first": "shortest",
}


@dataclass(frozen=True)
class LibraryState:
    """One look at the library.

    Attributes:
        starts: For each page up to the one shown, the id its rows come after.
        last: Id of the last row shown; None when no page can follow.
        total: How many rows match; None: to be counted.
        item: Id of the row shown in full.
        selected: Ids ticked.
        everything: All that match are selected, not only those ticked.
        title: What `where.ids` are ("Near duplicates"); empty without ids.
        who: Who looks.
        revealed: Datasets of which they asked to see what the source preferred.
        visited: The page's address has been read; before, there is nothing to come back to.
        ticks: Number of the last tick of the page's that is among `selected`.
        binned: Rows that were deleted last, until something else is done with rows.
    """

    where: ItemFilter = field(default_factory=ItemFilter)
    order: Order = "oldest"
    gallery: bool = False
    starts: tuple[int | None, ...] = (None,)
    last: int | None = None
    total: int | None = None
    item: int | None = None
    selected: frozenset[int] = frozenset()
    everything: bool = False
    title: str = ""
    visited: bool = False
    who: str = ""
    revealed: frozenset[str] = frozenset()
    ticks: int = 0
    binned: tuple[int, ...] = ()

    def narrowed(self, where: ItemFilter, order: Order | None = None) -> LibraryState:
        """Return the first page of what matches; nothing is selected or open."""
        return replace(
            self,
            where=where,
            order=order or self.order,
            starts=(None,),
            total=None,
            item=None,
            selected=frozenset(),
            everything=False,
            title=self.title if where.ids is not None else "",
        )

    def of(self, dataset: str | None) -> LibraryState:
        """All rows of another dataset."""
        return self.narrowed(ItemFilter(dataset=dataset or None))

    def rows_of(self, dataset: str | None, title: str, ids: tuple[int, ...]) -> LibraryState:
        """Exactly these rows of a dataset."""
        return replace(self.narrowed(ItemFilter(dataset=dataset or None, ids=ids)), title=title)

    def changed(self) -> LibraryState:
        """Return the same look after rows have changed: counted anew."""
        return replace(self, total=None)

    def on(self, page: LibraryPage) -> LibraryState:
        """With what `page` has told."""
        last = page.items[-1].id if len(page.items) == PAGE else None
        return replace(self, total=page.total, last=last)

    def next(self) -> LibraryState:
        """Return the page after the one shown, if there is one."""
        if not self.goes_on:
            return self
        return replace(self, starts=(*self.starts, self.last), item=None)

    @property
    def goes_on(self) -> bool:
        """Whether there is a page after the one shown."""
        shown = PAGE * len(self.starts)
        return self.last is not None and (self.uncounted or shown < (self.total or 0))

    @property
    def uncounted(self) -> bool:
        """Whether there are more rows than were counted."""
        return bool(self.where.search) and (self.total or 0) > COUNTED

    def previous(self) -> LibraryState:
        return replace(self, starts=self.starts[:-1] or (None,), item=None)

    def ticked(self, ids: tuple[int, ...], on: bool) -> LibraryState:
        """With rows ticked or not."""
        rows = frozenset(ids)
        chosen = self.selected | rows if on else self.selected - rows
        return replace(self, selected=chosen, everything=False)

    def seen(self, store: AnnotationStore, items: Sequence[ItemView]) -> list[ItemView]:
        """Return the items as this person may see them."""
        person = store.team.viewer(self.who)
        return [veiled(item, person) if self.veils(item) else item for item in items]

    def veils(self, item: ItemView) -> bool:
        """Return whether the item is shown without what its pairs must not tell."""
        return item.waits and item.dataset not in self.revealed

    def chosen(self, store: AnnotationStore) -> list[int]:
        """Ids of all rows selected."""
        return store.ids(self.where) if self.everything else sorted(self.selected)


@dataclass(frozen=True)
class LibraryPage:
    """The rows of one page, and their place among all that match (from 1)."""

    items: list[ItemView]
    first: int
    total: int

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1


class PageLook:
    """The look of one open page; what is clicked there is answered in turn.

    Gradio answers the clicks of a page side by side and hands each the state as it was when the
    click came. The slower of two would then undo the other: coming back to the tab would take
    back the dataset that was clicked meanwhile. A turn ends when its answer has gone out, so that
    answers arrive in the order of the clicks.
    """

    def __init__(self) -> None:
        self.state = LibraryState()
        self._turn = Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> PageLook:
        """Return a look of its own for a page that is opened."""
        return PageLook()

    def answer(self, handler: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
        """Let `handler` answer with the latest state, and keep the one that it answers with."""
        self._turn.acquire()
        try:
            changes = dict(handler(self.state, *given))
            self.state = changes.pop("state", self.state)
        finally:
            after_answer(self._turn.release)
        return changes


def read_page(store: AnnotationStore, state: LibraryState) -> LibraryPage:
    """Return the page that `state` is on."""
    where, order, total = state.where, state.order, state.total
    if total is None and where.search and len(state.starts) == 1:
        items, total = store.find(where, order=order, limit=PAGE, most=COUNTED + 1)
        return LibraryPage(items, 1, total)
    items = store.browse(where, order=order, after=state.starts[-1], limit=PAGE)
    if total is None:
        total = store.count(where, COUNTED + 1 if where.search else None)
    return LibraryPage(items, PAGE * (len(state.starts) - 1) + 1, total)


def filter_of(
    state: LibraryState,
    search: str,
    labels: str,
    marks: str,
    more: tuple[str, str, str, str, str],
    length: tuple[str | None, str | None],
) -> ItemFilter:
    """Return the filter that the fields ask for; dataset and ids stay.

    Args:
        more: Split, source, tag, annotator, agreement, as the dropdowns have them.
        length: Least and most characters, as typed; what is no number is no bound.
    """
    split, source, tag, annotator, agreement = more
    return ItemFilter(
        dataset=state.where.dataset,
        ids=state.where.ids,
        search=search.strip(),
        labelled=LABELS.get(labels),
        labelled_by=annotator or None,
        agreement=AGREEMENTS.get(agreement),
        source=source or None,
        split=split or None,
        length=(_bound(length[0]), _bound(length[1])),
        tag=tag or None,
        **MARKS.get(marks, {}),
    )


def fields_of(state: LibraryState) -> dict[str, str]:
    """What the fields hold when they ask for `state`: the other way round than `filter_of`."""
    where = state.where
    names = ("flagged", "excluded", "verdict")
    marks = {name: getattr(where, name) for name in names} | {"deleted": where.deleted or None}
    marks = {name: on for name, on in marks.items() if on is not None}
    return {
        "search": where.search,
        "labels": _word(LABELS, where.labelled),
        "marks": _word(MARKS, marks),
        "order": _word(ORDERS, state.order),
        "view": "Gallery" if state.gallery else "Table",
        "split": where.split or "",
        "source": where.source or "",
        "tag": where.tag or "",
        "annotator": where.labelled_by or "",
        "agreement": _word(AGREEMENTS, where.agreement),
        "shortest": _typed(where.length[0]),
        "longest": _typed(where.length[1]),
    }


def asked_for(state: LibraryState) -> list[str]:
    """Return what narrows the rows down, a few words each; order and layout do not."""
    fields, usual = fields_of(state), fields_of(LibraryState())
    given = {name: value for name, value in fields.items() if value != usual[name]}
    words = {
        "search": "“{}”",
        "labels": "{}",
        "marks": "{}",
        "agreement": "{}",
        "split": "split {}",
        "source": "from {}",
        "tag": "tag {}",
        "annotator": "labelled by {}",
        "shortest": "{} characters or more",
        "longest": "{} characters or fewer",
    }
    only = [f"Only: {state.title}"] if state.title else []
    shown = {name: without_folder(value) for name, value in given.items()}
    return only + [said.format(shown[name]) for name, said in words.items() if name in shown]


def _word(words: Mapping[str, object], meant: object) -> str:
    """Return the word that means this; the first one when none does."""
    return next((word for word, value in words.items() if value == meant), next(iter(words)))


def _typed(bound: int | None) -> str:
    return "" if bound is None else str(bound)


def _bound(typed: str | None) -> int | None:
    digits = (typed or "").strip()
    return int(digits[:9]) if digits.isdecimal() else None
