"""What happens in the library: each handler takes the state and says what changes on the page.

A handler returns new values by the name of the part of the page (`tabs/data.py` draws them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.annotation import AnnotationStore, DatasetView, Facets, ItemFilter, ItemView, TextChange
from studio.annotation.labeling.showings import Viewer
from studio.annotation.library.blinding import REVEALED, VEILED, veiled, veiled_edit
from studio.api.context import StudioContext
from studio.api.upload_folders import without_folder
from studio.core.errors import InputError, NotFoundError, StudioError
from studio.launch.made_datasets import made_datasets
from studio.ui.data import views as look
from studio.ui.data.import_form import check_lead, refusal
from studio.ui.data.item_view import detail
from studio.ui.data.page_address import address_of, state_of
from studio.ui.data.rows_view import NOTHING_FOUND, gallery, nothing_left, table, veil_line
from studio.ui.data.state import (
    COUNTED,
    ORDERS,
    LibraryState,
    asked_for,
    fields_of,
    filter_of,
    read_page,
)
from studio.ui.events.event_data import details, number, text, whole_number
from studio.ui.shared.html import count
from studio.ui.shared.text_differences import safe

Changes = dict[str, Any]
ACTIONS: dict[str, Callable[[AnnotationStore, Sequence[int]], int]] = {
    "flag": lambda store, ids: store.flag(ids),
    "unflag": lambda store, ids: store.flag(ids, False),
    "exclude": lambda store, ids: store.exclude(ids),
    "include": lambda store, ids: store.exclude(ids, False),
    "delete": lambda store, ids: store.delete(ids),
    "restore": lambda store, ids: store.restore(ids),
}
FACETS = {"split": "splits", "source": "sources", "tag": "tags", "annotator": "annotators"}
ANY = {"split": "Any split", "source": "Any source", "tag": "Any tag", "annotator": "Anybody"}


class Library:
    """Handlers over the store; they hold no state of their own."""

    def __init__(self, context: StudioContext) -> None:
        self.context, self.store = context, context.store

    def open(self, state: LibraryState, request: gr.Request | None = None) -> Changes:
        """Everything of one look."""
        check_lead(self.context, request)
        state = self._of_person(state, request)
        datasets = self.store.datasets()
        name = state.where.dataset
        if name and name not in {dataset.name for dataset in datasets}:
            state = replace(state.of(None), item=state.item)
        facets = self.store.facets(state.where.dataset)
        changes = self.rows(_known(state, facets).changed())
        state = changes["state"]
        return {
            **changes,
            **_fields(state, facets),
            "datasets": look.dataset_list(
                datasets, state.where.dataset, made_datasets(self.context.workspace)
            ),
            "nothing": gr.update(visible=not datasets),
            "library": gr.update(visible=bool(datasets)),
            "label": _label_button(datasets, state.where.dataset),
            **_checked(datasets, state.where.dataset),
        }

    def come_back(self, state: LibraryState, request: gr.Request) -> Changes:
        """Everything as it was left.

        A page that is opened asks for this too, and the answer must not undo that to `visit`.
        """
        return self.open(state, request) if state.visited else {}

    def visit(self, state: LibraryState, request: gr.Request) -> Changes:
        """The page as its address names it: a dataset, filters, and with `?row=` an open row."""
        state = replace(state_of(request.query_params), visited=True)
        row = whole_number(request.query_params.get("row", ""))
        if row is not None:
            state = replace(state, item=row)
        return self.open(state, request)

    def rows(self, state: LibraryState) -> Changes:
        """Show the page of rows that `state` is on, and the open row."""
        page = read_page(self.store, state)
        while not page.items and len(state.starts) > 1:  # the last of this page have gone
            state = state.previous()
            page = read_page(self.store, state)
        state = state.on(page)
        draw = gallery if state.gallery else table
        seen = state.seen(self.store, page.items)
        shown = veil_line(seen, page.items) + draw(seen, state.item, self._ticked(state, seen))
        of = f"more than {COUNTED:,}" if state.uncounted else f"{page.total:,}"
        line = f"{page.first:,}–{page.last:,} of {of}" if page.items else "0 rows"
        return {
            "items": look.addressed(
                shown if page.items else _nothing(state), address_of(state), state.ticks
            ),
            "page_line": line,
            "previous": gr.update(interactive=len(state.starts) > 1),
            "next": gr.update(interactive=state.goes_on),
            **_narrowed(state),
            **_binned(state),
            **self.selection(state),
            **self.item(state),
        }

    def item(self, state: LibraryState) -> Changes:
        """Show the open row."""
        item, trouble = None, ""
        if state.item is not None:
            try:
                item = self.store.item(state.item)
            except NotFoundError as error:
                trouble = refusal(error)
                state = replace(state, item=None)
        drawn = self._detail(state, item) if item else ""
        return {
            "state": state,
            "drawer": gr.update(visible=item is not None),
            "item": drawn,
            "problem": "",
            "trouble": trouble,
        }

    def _of_person(self, state: LibraryState, request: gr.Request | None) -> LibraryState:
        """Return the look of whoever sent `request`, with what they have had revealed."""
        if request is None:
            return state
        who = self.context.user(request)
        return replace(state, who=who, revealed=self.store.team.revealed(who))

    def _detail(self, state: LibraryState, item: ItemView) -> str:
        edits = self.store.edits(item.id)
        if not state.veils(item):
            return detail(item, edits)
        person = self.store.team.viewer(state.who)
        return detail(veiled(item, person), [veiled_edit(edit, person) for edit in edits])

    def selection(self, state: LibraryState) -> Changes:
        """Show how many rows are selected and what can be done with them."""
        chosen = (state.total or 0) if state.everything else len(state.selected)
        rows = "1 row selected" if chosen == 1 else f"{chosen:,} rows selected"
        if state.everything and state.uncounted:
            rows = "All rows that match selected"
        more = not state.everything and (state.total or 0) > chosen
        every = "that match" if state.uncounted else f"{state.total or 0:,}"
        return {
            "state": state,
            "bulk": gr.update(visible=chosen > 0),
            "bulk_line": f'<span class="tabular">{rows}</span>',
            "everything": gr.update(visible=more, value=f"Select all {every}"),
            "delete": gr.update(visible=not state.where.deleted),
            "restore": gr.update(visible=state.where.deleted),
        }

    def pick(self, state: LibraryState, event: gr.EventData, request: gr.Request) -> Changes:
        """Follow a click on a dataset, a row or a tick."""
        check_lead(self.context, request)
        state, picked = self._of_person(state, request), details(event)
        if "dataset" in picked:
            return self.open(state.of(str(picked["dataset"])), request)
        if "reveal" in picked or "veil" in picked:
            return self._reveal(state, picked, request)
        if "tick" in picked or "again" in picked:
            # Of two at once, the second may be the first to come.
            state = replace(state, ticks=max(state.ticks, number(event, "number") or 0))
        if "again" in picked:
            return self.rows(state)
        if "tick" in picked:
            return self._tick(state, text(event, "tick"), bool(picked.get("on")))
        return self.item(replace(state, item=number(event, "item")))

    def _reveal(self, state: LibraryState, picked: dict[str, Any], request: gr.Request) -> Changes:
        """Show, or hide again, what the source preferred; it goes into the log."""
        action = REVEALED if "reveal" in picked else VEILED
        dataset = str(picked.get("reveal", picked.get("veil")))
        who = self.context.user(request)
        self.store.team.note(who, action, dataset, {"preferences": "of pairs that wait"})
        return self.open(state, request)

    def narrow(
        self,
        state: LibraryState,
        search: str,
        labels: str,
        marks: str,
        order: str,
        view: str,
        *more: Any,
    ) -> Changes:
        """Show the rows that match; nothing when nothing changed. `more` as in `filter_of`."""
        where = filter_of(state, search, labels, marks, tuple(more[:5]), (more[5], more[6]))
        gallery = view == "Gallery"
        if (where, ORDERS.get(order, "oldest")) != (state.where, state.order):
            state = state.narrowed(where, ORDERS.get(order, "oldest"))
        elif gallery == state.gallery:
            return {}
        return self.rows(replace(state, gallery=gallery))

    def clear(self, state: LibraryState, request: gr.Request) -> Changes:
        """All rows of the dataset, with no filter."""
        return self.open(state.of(state.where.dataset), request)

    def rows_of(self, state: LibraryState, found: tuple | None, request: gr.Request) -> Changes:
        """Show what the check asked for by a link in `DataTab.rows_of`.

        `link((dataset, title, ids))`: exactly the rows of a finding. `link(None)`: rows have
        changed, so the same look again.
        """
        if not found:
            return {}
        if found[0] is None:
            return self.open(state, request)
        dataset, title, ids = found[0]
        return self.open(state.rows_of(dataset, str(title), tuple(ids)), request)

    def forward(self, state: LibraryState, request: gr.Request) -> Changes:
        """Show the next page."""
        check_lead(self.context, request)
        return self.rows(state.next())

    def back(self, state: LibraryState, request: gr.Request) -> Changes:
        """Show the page before."""
        check_lead(self.context, request)
        return self.rows(state.previous())

    def close(self, state: LibraryState) -> Changes:
        """Show the list without the open row."""
        return self.rows(replace(state, item=None))

    def select_everything(self, state: LibraryState) -> Changes:
        """All rows that match, on every page."""
        return self.rows(replace(state, everything=True))

    def select_nothing(self, state: LibraryState) -> Changes:
        return self.rows(replace(state, everything=False, selected=frozenset()))

    def act(self, action: str, state: LibraryState, request: gr.Request) -> Changes:
        """One of ACTIONS, on all rows selected."""
        check_lead(self.context, request)
        chosen = state.chosen(self.store)
        changed = ACTIONS[action](self.store, chosen)
        self._note(state, request, f"{action} rows", rows=changed)
        if action in ("delete", "restore"):
            state = replace(state, selected=frozenset(), everything=False, item=None)
        binned = tuple(chosen) if action == "delete" else ()
        return self.open(replace(state, binned=binned), request)

    def undo_delete(self, state: LibraryState, request: gr.Request) -> Changes:
        """Take the rows deleted last out of the bin again."""
        check_lead(self.context, request)
        changed = self.store.restore(list(state.binned))
        self._note(state, request, "restore rows", rows=changed)
        return self.open(replace(state, binned=()), request)

    def act_on_open(self, state: LibraryState, event: gr.EventData, request: gr.Request) -> Changes:
        """One of ACTIONS on the open row, which stays open."""
        check_lead(self.context, request)
        action, item = text(event, "act"), number(event, "item")
        if action not in ACTIONS or item is None:
            return {}
        self._note(state, request, f"{action} rows", rows=ACTIONS[action](self.store, [item]))
        return self.open(replace(state, selected=state.selected - {item}), request)

    def tag(self, state: LibraryState, tag: str, on: bool, request: gr.Request) -> Changes:
        """Put a tag on all rows selected, or take it off."""
        check_lead(self.context, request)
        try:
            changed = (self.store.tag if on else self.store.untag)(state.chosen(self.store), tag)
            self._note(state, request, "tag rows" if on else "untag rows", rows=changed, tag=tag)
        except StudioError as error:
            return {"trouble": refusal(error)}
        return {**self.open(state, request), "tag_text": ""}

    def edit(self, state: LibraryState, event: gr.EventData, request: gr.Request) -> Changes:
        """Save a text changed in the open row; when it is refused, the field stays as it is."""
        check_lead(self.context, request)
        try:
            who = self.context.user(request)
            self.store.edit(_change(event, who, self.store.team.viewer(who)))
        except StudioError as error:
            return {"problem": refusal(error)}
        return self.rows(state.changed())

    def _note(self, state: LibraryState, request: gr.Request, action: str, **details: Any) -> None:
        """Put a change of many rows into the team's log."""
        who = self.context.user(request)
        self.store.team.note(who, action, state.where.dataset or "", details)

    def _tick(self, state: LibraryState, key: str, on: bool) -> Changes:
        if key == "page":
            ids = tuple(item.id for item in read_page(self.store, state).items)
        else:
            row = whole_number(key)
            ids = () if row is None else (row,)
        return self.rows(state.ticked(ids, on))

    def _ticked(self, state: LibraryState, items: list[ItemView]) -> frozenset[int]:
        return frozenset(item.id for item in items) if state.everything else state.selected


def _change(event: gr.EventData, editor: str, person: Viewer) -> TextChange:
    """Return the change that a page sent. Raises InputError when it does not say of what."""
    item, revision, candidate = (number(event, name) for name in ("item", "revision", "candidate"))
    named = candidate is not None or not text(event, "candidate")
    if item is None or revision is None or "text" not in details(event) or not named:
        raise InputError("The change does not say which text it is of.", remedy="Reload the page.")
    if candidate is not None and details(event).get("veiled"):
        candidate, _ = person.number(candidate)
    return TextChange(
        item_id=item,
        candidate_id=candidate,
        revision=revision,
        text=text(event, "text"),
        editor=editor,
    )


def _nothing(state: LibraryState) -> str:
    """Return what is said where no row is: nothing matches, or there is nothing."""
    if state.where != ItemFilter(dataset=state.where.dataset):
        return NOTHING_FOUND
    return nothing_left(state.where.dataset, just_deleted=bool(state.binned))


def _binned(state: LibraryState) -> Changes:
    """Return what was deleted last, with the way back."""
    number = len(state.binned)
    rows = "1 row is" if number == 1 else f"{number:,} rows are"
    return {
        "binned": gr.update(visible=number > 0),
        "binned_line": f'<span class="tabular">{rows} in the bin now.</span>' if number else "",
    }


def _known(state: LibraryState, facets: Facets) -> LibraryState:
    """Without filters for what there is no more, which no field could show."""
    values = {
        "split": facets.splits,
        "source": facets.sources,
        "tag": facets.tags,
        "labelled_by": facets.annotators,
    }
    gone = {
        name for name, there in values.items() if getattr(state.where, name) not in (None, *there)
    }
    if not gone:
        return state
    without: dict[str, Any] = dict.fromkeys(gone)
    narrowed = state.narrowed(replace(state.where, **without))
    return replace(narrowed, item=state.item)


def _fields(state: LibraryState, facets: Facets) -> Changes:
    """Every field as the rows shown ask for it, with what there is to choose."""
    fields: Changes = dict(fields_of(state))
    for name, plural in FACETS.items():
        there = [(without_folder(value), value) for value in getattr(facets, plural)]
        fields[name] = gr.update(choices=[(ANY[name], ""), *there], value=fields[name])
    return fields


def _narrowed(state: LibraryState) -> Changes:
    """Return what narrows the rows down, and the button that ends it, where anything does."""
    words = asked_for(state)
    chips = "".join(f'<span class="chip active">{safe(one)}</span>' for one in words)
    return {
        "asked": f'<span class="chips">{chips}</span>',
        "narrowed": gr.update(visible=bool(words)),
    }


def _checked(datasets: list[DatasetView], chosen: str | None) -> Changes:
    """The dataset looked at is the one a check is for, and to which a model writes."""
    if chosen is None:
        return {}
    names = [one.name for one in datasets]
    # One each: Gradio takes the value out of an update, and the second use of it would have none.
    return {part: gr.update(choices=names, value=chosen) for part in ("checked", "written")}


def _label_button(datasets: list[DatasetView], chosen: str | None) -> Any:
    """Return the next step, when pairs of the chosen datasets wait for a label."""
    waiting = sum(d.waiting for d in datasets if chosen in (None, d.name))
    words = "1 waiting pair" if waiting == 1 else f"{count(waiting)} waiting pairs"
    return gr.update(visible=waiting > 0, value=f"Label the {words}")
