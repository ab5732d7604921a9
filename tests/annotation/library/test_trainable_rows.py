"""Rows of the library that can be trained on: filters in a name, and reasons for the rest."""

from __future__ import annotations

import pytest

from studio.annotation import ExportPolicy, ItemFilter
from studio.annotation.library.trainable_rows import filters_of, parse_library, trainable_rows
from studio.core.errors import DataError
from studio.data.schema import VERDICT, Answer
from tests.annotation.conftest import answer, make_row


def test_a_name_with_filters_is_read_and_written_down():
    where = parse_library("library:charts?labelled&by=ana&split=held+out&flagged=no")
    assert where == ItemFilter(
        dataset="charts", excluded=False, labelled=True, labelled_by="ana", split="held out",
        flagged=False,
    )  # fmt: skip
    assert filters_of(where) == {
        "labelled": True, "flagged": False, "labelled_by": "ana", "split": "held out",
    }  # fmt: skip
    assert filters_of(parse_library("library: charts ")) == {}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("library:charts?labeled", "There is: labelled"),
        ("library:charts?labelled=perhaps", "Write yes or no"),
        ("library:charts?agreement=some", "agree or disagree"),
        ("library:charts?verdict=fine", "good or bad"),
        ("library:ch\0arts", "NUL"),
    ],
)
def test_what_is_no_filter_is_refused_beside_the_setting(spec, said):
    with pytest.raises(DataError, match=said) as caught:
        parse_library(spec)
    assert caught.value.field == "data.source"


def test_reasons_for_what_is_left_out_are_counted(store):
    store.add_rows("charts", [make_row(n) for n in range(3)])
    store.add_rows("charts", [make_row(3, candidates=(), completion=Answer("42"))])
    store.save(answer(store.claim("ana"), "ana"))
    store.save(answer(store.claim("ana"), "ana", kind="tie"))
    found = trainable_rows(store, parse_library("library:charts"), "dpo")
    assert found.rows == 1 and found.left_out == {
        "a tie, or no majority": 1, "no preference yet": 1, "no two answers to compare": 1,
    }  # fmt: skip
    learned = trainable_rows(store, parse_library("library:charts"), "sft")
    assert {row.completion.text for row in learned.splits["train"]} >= {"42"}
    assert learned.left_out == {"no answer yet": 2}


def test_what_people_wrote_comes_before_the_reference(store):
    store.add_rows("charts", [make_row(1, completion=Answer("given"))])
    card = store.claim("ana")
    written = trainable_rows(store, parse_library("library:charts"), "sft").splits["train"]
    assert [row.completion.text for row in written] == ["given"]
    store.save(answer(card, "ana", kind="both_bad", ideal="better"))
    written = trainable_rows(store, parse_library("library:charts"), "sft").splits["train"]
    assert [row.completion.text for row in written] == ["better"]


def test_a_bad_answer_is_found_and_never_trained(store):
    bad = make_row(1, candidates=(Answer("wrong"),), meta={VERDICT: "bad"})
    good = make_row(2, candidates=(), completion=Answer("right"), meta={VERDICT: "good"})
    store.add_rows("charts", [bad, good, make_row(3)])
    assert [item.external_id for item in store.browse(ItemFilter(verdict="bad"))] == ["row-1"]
    assert [item.external_id for item in store.browse(ItemFilter(verdict="good"))] == ["row-2"]
    for method in ("sft", "dpo"):
        found = trainable_rows(store, parse_library("library:charts?verdict=bad"), method)
        assert found.rows == 0 and found.left_out.total() == 1
    found = trainable_rows(store, parse_library("library:charts"), "sft")
    assert [row.completion.text for row in found.splits["train"]] == ["right"]
    assert store.preferences("charts", ExportPolicy(include_imported=True)) == []
