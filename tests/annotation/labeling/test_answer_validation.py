"""What an answer has to be to be saved: every number and list in it has bounds."""

from __future__ import annotations

import pytest

from studio.annotation import Span
from studio.annotation.labeling.answer_validation import LONGEST_MS, MOST_SPANS, utf16_length
from studio.annotation.quality.adjudication import DecisionEvent
from studio.core.errors import InputError
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row, make_rows


def test_a_mark_is_on_the_text_as_a_browser_counts_it(store):
    texts = (Answer("two 🙂🙂", "model-a"), Answer("one", "model-b"))
    store.add_rows("charts", [make_row(0, candidates=texts)])
    card = store.claim("ana")
    smiling = card.left if "🙂" in card.left.text else card.right
    assert utf16_length(smiling.text) == 8
    for start, end in ((0, 9), (8, 9), (0, 2_000_000), (-1, 2), (3, 3), (4, 2)):
        spans = (Span(smiling.candidate_id, start, end),)
        with pytest.raises(InputError) as caught:
            store.save(answer(card, "ana", spans=spans))
        assert caught.value.field == "spans" and caught.value.remedy
    with pytest.raises(InputError, match="not part"):
        store.save(answer(card, "ana", spans=(Span(999, 0, 1),)))
    many = (Span(smiling.candidate_id, 0, 1),) * (MOST_SPANS + 1)
    with pytest.raises(InputError, match="More than"):
        store.save(answer(card, "ana", spans=many))
    store.save(answer(card, "ana", spans=(Span(smiling.candidate_id, 6, 8),)))
    assert store.answers("charts")[0]["marks"][0]["text"] == "🙂"


@pytest.mark.parametrize("elapsed", [-1, LONGEST_MS + 1, 2**31, 2**63])
def test_an_answer_takes_a_time_that_there_is(store, elapsed):
    store.add_rows("charts", make_rows(1))
    card = store.claim("ana")
    with pytest.raises(InputError) as caught:
        store.save(answer(card, "ana", elapsed_ms=elapsed))
    assert caught.value.field == "elapsed_ms"
    store.save(answer(card, "ana", elapsed_ms=LONGEST_MS))


def test_what_a_lead_writes_is_what_a_database_can_hold(store):
    store.add_rows("charts", make_rows(1))
    for text in ("a\0b", "\ud800", "x" * 9_000):
        with pytest.raises(InputError) as caught:
            store.team.decide(DecisionEvent("d-1", 1, "lea", "tie", comment=text))
        assert caught.value.field == "comment"
        with pytest.raises(InputError) as caught:
            store.team.set_gold("lea", 1, "tie", None, text)
        assert caught.value.field == "explanation"
    for text in ("a\0b", "\ud800", "x" * 61_000):
        with pytest.raises(InputError):
            store.team.write_guidelines("lea", "charts", text, 0)
    for text in ("a\0b", "\ud800"):
        for ask in (
            lambda text: store.team.change_settings("lea", "charts", {"aspects": (text,)}),
            lambda text: store.team.clear("lea", text),
            lambda text: store.team.log(text),
        ):
            with pytest.raises(InputError, match=r"contains|character"):
                ask(text)
    assert store.team.gold_pairs("charts") == 0 and store.team.case(1, "lea").decided is None
