"""Rows become items, candidates and pairs, once."""

from __future__ import annotations

import pytest

from studio.annotation import AddReport, ItemFilter
from studio.core.errors import DataError
from studio.data.schema import Answer
from tests.annotation.conftest import make_row, make_rows


def test_importing_again_changes_nothing(store):
    assert store.add_rows("charts", make_rows(5)) == AddReport(added=5)
    assert store.add_rows("charts", make_rows(6)) == AddReport(added=1, unchanged=5)
    (dataset,) = store.datasets()
    assert (dataset.name, dataset.items, dataset.pairs, dataset.waiting) == ("charts", 6, 6, 6)


def test_a_preference_becomes_a_pair_with_the_source_s_choice_and_no_label(store):
    row = make_row(1, candidates=(), chosen=Answer("yes", "a"), rejected=Answer("no", "b"))
    store.add_rows("charts", [row])
    (item,) = store.browse(ItemFilter(dataset="charts"))
    (pair,) = item.pairs
    texts = {candidate.id: candidate.text for candidate in item.candidates}
    assert texts[pair.source_choice_id] == "yes"
    assert pair.votes == 0
    assert store.progress().labelled == 0
    assert store.claim("ana").pair_id == pair.id


def test_three_candidates_make_three_pairs_and_a_completion_none(store):
    three = make_row(1, candidates=(Answer("a"), Answer("b"), Answer("c")))
    alone = make_row(2, candidates=(), completion=Answer("42"))
    store.add_rows("charts", [three, alone])
    first, second = store.browse(ItemFilter(dataset="charts"))
    assert len(first.pairs) == 3
    assert second.pairs == ()
    assert second.candidates[0].reference


def test_answers_that_say_the_same_make_no_pair(store):
    same = make_row(1, candidates=(Answer("yes", "a"), Answer("yes ", "b")))
    store.add_rows("charts", [same])
    assert store.browse(ItemFilter(dataset="charts"))[0].pairs == ()


def test_new_candidates_of_a_known_item_are_added(store):
    store.add_rows("charts", [make_row(1)])
    more = make_row(1, candidates=(Answer("green", "model-c"), Answer("the red 1", "model-a")))
    assert store.add_rows("charts", [more]) == AddReport(extended=1)
    (item,) = store.browse(ItemFilter(dataset="charts"))
    assert len(item.candidates) == 3
    assert len(item.pairs) == 2


def test_an_id_of_another_question_is_refused_and_nothing_is_imported(store):
    store.add_rows("charts", [make_row(1)])
    other = make_row(1, images=("cd" * 32,))
    with pytest.raises(DataError, match="row-1"):
        store.add_rows("charts", [make_row(7), other])
    assert store.count(ItemFilter(dataset="charts")) == 1


def test_half_a_preference_is_refused(store):
    with pytest.raises(DataError, match="only one of chosen and rejected"):
        store.add_rows("charts", [make_row(1, chosen=Answer("yes"))])


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_unusable_dataset_names_are_refused(store, name):
    with pytest.raises(DataError, match="name of a dataset"):
        store.add_rows(name, make_rows(1))


HOW = {
    "model": "tiny",
    "run": "a",
    "step": 5,
    "temperature": 1.0,
    "top_p": 0.9,
    "seed": 3,
    "time": 9.0,
}


def test_how_a_model_wrote_an_answer_is_kept_with_it(store):
    written = (Answer("red", "tiny", 2, HOW), Answer("blue", "tiny"))
    store.add_rows("charts", [make_row(1, candidates=written)])
    (item,) = store.browse(ItemFilter(dataset="charts"))
    assert [(one.tokens, one.decoding) for one in item.candidates] == [(2, HOW), (None, None)]
    assert (item.candidates[0].answer.tokens, item.candidates[0].answer.decoding) == (2, HOW)
    again = make_row(1, candidates=(Answer("red", "tiny", 2, {**HOW, "at": 10}),))
    assert store.add_rows("charts", [again]) == AddReport(unchanged=1)
