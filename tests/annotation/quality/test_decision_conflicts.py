"""A decision or gold of one lead is never replaced by another who was not shown it."""

from __future__ import annotations

import pytest

from studio.annotation.quality.adjudication import DecisionEvent
from studio.core.errors import ConflictError
from tests.annotation.conftest import make_rows


def test_a_decision_replaces_only_one_that_its_lead_was_shown(store):
    store.add_rows("charts", make_rows(2))
    lena, lee = store.team.case(1, "lena"), store.team.case(1, "lee")
    assert (lena.version, lena.decided_by) == (0, "")
    first = DecisionEvent("d-1", 1, "lena", "tie", seen=lena.version)
    store.team.decide(first)
    with pytest.raises(ConflictError, match="lena decided this pair meanwhile"):
        store.team.decide(DecisionEvent("d-2", 1, "lee", "both_bad", seen=lee.version))
    store.team.decide(first)  # the same key again is no conflict
    case = store.team.case(1, "lee")
    assert (case.decided, case.decided_by) == (("tie", None), "lena")
    store.team.decide(DecisionEvent("d-3", 1, "lee", "both_bad", seen=case.version))
    with pytest.raises(ConflictError, match="lee decided this pair meanwhile"):
        store.team.decide(DecisionEvent("d-4", 1, "lena", "reopen", seen=case.version))
    assert store.team.case(1, "lena").decided == ("both_bad", None)
    store.team.decide(DecisionEvent("d-5", 2, "lena", "tie", seen=0))
    with pytest.raises(ConflictError, match="You decided this pair elsewhere"):
        store.team.decide(DecisionEvent("d-6", 2, "lena", "both_bad", seen=0))


def test_gold_replaces_only_what_its_lead_was_shown(store):
    store.add_rows("charts", make_rows(2))
    shown = store.team.case(1, "lee").gold_version
    store.team.set_gold("lena", 1, "tie", None, seen=shown)
    with pytest.raises(ConflictError, match="lena made this pair gold meanwhile"):
        store.team.set_gold("lee", 1, "both_bad", None, seen=shown)
    with pytest.raises(ConflictError, match="lena made this pair gold meanwhile"):
        store.team.unset_gold("lee", 1, shown)
    case = store.team.case(1, "lee")
    assert case.gold == ("tie", None)
    store.team.unset_gold("lee", 1, case.gold_version)
    with pytest.raises(ConflictError, match="lee made this pair an ordinary one again meanwhile"):
        store.team.set_gold("lena", 1, "tie", None, seen=case.gold_version)
    store.team.set_gold("lena", 2, "tie", None)
    assert store.team.case(2, "lee").gold_version > store.team.case(1, "lee").gold_version > 0
