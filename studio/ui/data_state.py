"""What the library shows: which dataset, filter and page. Plain values, no components."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.annotation import AnnotationStore, ItemFilter, ItemView

PAGE = 20
FILTERS = {"All": None, "Labelled": True, "Not labelled": False}


@dataclass(frozen=True)
class LibraryState:
    """One look at the library.

    Attributes:
        dataset: Name of the dataset; None: all.
        labelled: Only rows with (True) or without (False) a label.
        starts: For each page up to the one shown, the id its rows come after.
        item: Id of the row shown in full.
    """

    dataset: str | None = None
    search: str = ""
    labelled: bool | None = None
    starts: tuple[int, ...] = (0,)
    item: int | None = None

    def of(self, dataset: str | None) -> LibraryState:
        """The first page of another dataset."""
        return replace(self, dataset=dataset or None, starts=(0,), item=None)

    def filtered(self, search: str, labelled: bool | None) -> LibraryState:
        """The first page of what matches."""
        return replace(self, search=search.strip(), labelled=labelled, starts=(0,), item=None)

    def next(self, page: LibraryPage) -> LibraryState:
        """The page after `page`, if there is one."""
        if not page.items or page.last >= page.total:
            return self
        return replace(self, starts=(*self.starts, page.items[-1].id), item=None)

    def previous(self) -> LibraryState:
        return replace(self, starts=self.starts[:-1] or (0,), item=None)


@dataclass(frozen=True)
class LibraryPage:
    """The rows of one page, and their place among all that match (from 1)."""

    items: list[ItemView]
    first: int
    total: int

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1


def read_page(store: AnnotationStore, state: LibraryState) -> LibraryPage:
    """The page that `state` is on."""
    where = ItemFilter(dataset=state.dataset, search=state.search, labelled=state.labelled)
    items = store.browse(where, after=state.starts[-1], limit=PAGE)
    total = store.count(where)
    return LibraryPage(items, PAGE * (len(state.starts) - 1) + 1, total)
