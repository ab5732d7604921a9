"""A mark that changes with everything that training on a dataset depends on."""

from __future__ import annotations

import pytest

from studio.annotation import TextChange
from studio.annotation.quality.adjudication import DecisionEvent
from tests.annotation.conftest import answer, make_row, make_rows


def edit(store) -> None:
    item = store.browse()[0]
    store.edit(TextChange(item.id, item.candidates[0].id, item.revision, "another", "lea"))


CHANGES = {
    "label": lambda store: store.save(answer(store.claim("ana", "charts"), "ana")),
    "undo": lambda store: store.undo("ben"),
    "exclude": lambda store: store.exclude([1]),
    "flag": lambda store: store.flag([1]),
    "tag": lambda store: store.tag([1], "odd"),
    "delete": lambda store: store.delete([1]),
    "edit": edit,
    "rows": lambda store: store.add_rows("charts", [make_row(9)]),
    "decision": lambda store: store.team.decide(DecisionEvent("key", 1, "lea", "tie")),
    "gold": lambda store: store.team.set_gold("lea", 1, "tie", None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_dataset_shows_and_none_of_another(store, change):
    store.add_rows("charts", make_rows(3))
    store.add_rows("other", make_rows(2))
    store.save(answer(store.card(2, "ben"), "ben"))
    before, other = store.trainable_state("charts"), store.trainable_state("other")
    assert store.trainable_state("charts") == before and len(before) == 64
    CHANGES[change](store)
    assert store.trainable_state("charts") != before
    assert store.trainable_state("other") == other


def test_a_dataset_that_is_not_there_has_no_state(store):
    assert store.trainable_state("none") == ""
