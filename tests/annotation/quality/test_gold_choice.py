"""A lead makes the own answer the right one of a pair, and takes that back."""

from __future__ import annotations

import pytest

from studio.annotation.quality.decision_conflicts import GoldConflict
from tests.annotation.conftest import answer, make_rows


def test_gold_of_another_lead_is_changed_by_o_only_once_that_was_told(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"overlap": 2, "repeat_share": 0})
    handles = {}
    for name in ("lena", "lee"):
        card = store.claim(name)
        handles[name] = card.handle
        store.save(answer(card, name, kind="tie"))
    assert store.team.toggle_gold("lena", handles["lena"]) is True
    with pytest.raises(GoldConflict, match="lena made this pair gold") as caught:
        store.team.toggle_gold("lee", handles["lee"])
    assert store.team.case(1, "lee").gold == ("tie", None)
    assert store.team.toggle_gold("lena", handles["lena"]) is False
    with pytest.raises(GoldConflict, match="an ordinary one again"):
        store.team.toggle_gold("lee", handles["lee"], caught.value.version)
    version = store.team.case(1, "lee").gold_version
    assert store.team.toggle_gold("lee", handles["lee"], version) is True
