"""What is looked at in the library as part of the page's address, for reloads and links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import itemgetter
from urllib.parse import urlencode

from studio.ui.data.state import ORDERS, LibraryState, fields_of, filter_of

# By the name in the address. Gradio means something else by `view`.
NAMES = {
    name: {"layout": "view"}.get(name, name)
    for name in (
        "search", "labels", "marks", "order", "layout", "split", "source", "tag", "annotator",
        "agreement", "shortest", "longest",
    )
}  # fmt: skip
LONGEST_SEARCH = 300


def address_of(state: LibraryState) -> str:
    """Every name with its value, empty where nothing is asked for; of a finding only its dataset."""
    fields, usual = fields_of(state), fields_of(LibraryState())
    asked = {name: fields[field] for name, field in NAMES.items() if fields[field] != usual[field]}
    if state.where.ids is not None:
        asked = {}
    if len(asked.get("search", "")) > LONGEST_SEARCH:
        del asked["search"]
    empty = dict.fromkeys(("dataset", *NAMES), "")
    return urlencode({**empty, "dataset": state.where.dataset or "", **asked})


def state_of(address: Mapping[str, str]) -> LibraryState:
    """Return the look that `address` names; words nobody knows ask for nothing."""
    usual = fields_of(LibraryState())
    given = {field: str(address.get(name) or usual[field]) for name, field in NAMES.items()}
    state = LibraryState().of(str(address.get("dataset") or "") or None)
    named = itemgetter("split", "source", "tag", "annotator", "agreement")
    more: tuple[str, str, str, str, str] = named(given)
    length = (given["shortest"], given["longest"])
    where = filter_of(state, given["search"], given["labels"], given["marks"], more, length)
    state = state.narrowed(where, ORDERS.get(given["order"], "oldest"))
    return replace(state, gallery=given["view"] == "Gallery")
