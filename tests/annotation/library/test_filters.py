"""Search and filters find the same items in every database."""

from __future__ import annotations

import pytest

from studio.annotation import ItemFilter
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row, make_rows


def test_search_finds_words_in_question_and_answers_and_takes_them_literally(store):
    percent = make_row(1, candidates=(Answer("Grew 50% in May"), Answer("it fell")))
    store.add_rows("charts", [percent, make_row(2), make_row(3)])
    assert [item.external_id for item in store.browse(ItemFilter(search="may grew"))] == ["row-1"]
    assert store.count(ItemFilter(search="50%")) == 1
    assert store.count(ItemFilter(search="%")) == 1
    assert store.count(ItemFilter(search="_")) == 0
    assert store.count(ItemFilter(search="BAR")) == 3


def test_filter_by_labelled_and_dataset(store):
    store.add_rows("charts", make_rows(3))
    store.add_rows("other", make_rows(2))
    store.save(answer(store.claim("ana", "charts"), "ana"))
    assert store.count(ItemFilter(dataset="charts", labelled=True)) == 1
    assert store.count(ItemFilter(dataset="charts", labelled=False)) == 2
    assert store.count(ItemFilter(dataset="other", labelled=True)) == 0
    assert store.count() == 5 and store.count(most=3) == 3
    assert store.browse(ItemFilter(dataset="charts", labelled=True))[0].labels == 1


@pytest.mark.parametrize("sign", ["\ud800", "a\0b"])
def test_what_no_database_holds_is_found_nowhere(store, sign):
    store.add_rows("charts", make_rows(2))
    for where in ({"search": sign}, {"dataset": sign}, {"tag": sign}, {"labelled_by": sign}):
        assert store.count(ItemFilter(**where)) == 0


def test_search_knows_beginnings_punctuation_and_scripts_without_blanks(store):
    rows = [
        make_row(1, candidates=(Answer("Überraschung! C++ (1.5 %)"), Answer("no"))),
        make_row(2, candidates=(Answer("这张图表显示三个柱子"), Answer("no"))),
        make_row(3, candidates=(Answer('He said "stop" OR NOT near*'), Answer("no"))),
    ]
    store.add_rows("charts", rows)

    def search(words: str) -> list[str]:
        return [item.external_id[-1] for item in store.browse(ItemFilter(search=words))]

    assert search("Überrasch") == ["1"] and search("c++") == ["1"] and search("1.5") == ["1"]
    assert search("图表") == ["2"]
    assert search('"stop"') == ["3"] and search("NOT near*") == ["3"] and search("stop OR") == ["3"]
    assert search("row-3") == ["3"] and search("search:") == [] and search("'; --") == []


FOUND = {
    "überrasch": "1", "uberrasch": "1", "UBERRASCHUNG": "1", "cafe": "1", "CAFÉ": "1",
    "strasse": "2", "STRASSE": "2", "ελλαδα": "2", "ёлка": "2", "елка": "2", "finally": "2",
    "path": "3", "chart": "3", "example": "3", "bold": "3", "5": "34", "stop": "3", "wide": "3",
    "said": "3", "हिन्दी": "4", "한국": "4", "ภาษา": "4", "50€": "4", "€50": "", "uberr sch": "",
}  # fmt: skip


def test_search_finds_the_same_in_every_database(store):
    texts = {
        1: "Überraschung im Cafe\u0301",
        2: "Straße, Ελλάδα, Ёлка, \ufb01nally",
        3: "/path/chart.png example.com <b>bold</b> 1.5 He said “stop”，ｗｉｄｅ",
        4: "हिन्दी 한국어 ภาษาไทย 50€",
    }
    rows = [
        make_row(n, external_id="abcd"[n - 1], candidates=(Answer(text), Answer("no")))
        for n, text in texts.items()
    ]
    store.add_rows("charts", rows)

    def search(words: str) -> str:
        found = store.browse(ItemFilter(search=words))
        return "".join(str("abcd".index(item.external_id) + 1) for item in found)

    assert {words: search(words) for words in FOUND} == FOUND


def test_filters_by_person_agreement_source_split_and_length(store):
    with store.importing("charts", source="a.jsonl", split="train") as batch:
        batch.add_rows(make_rows(2))
    with store.importing("charts", source="b.jsonl", split="test") as batch:
        batch.add(make_row(7, candidates=(Answer("x" * 50), Answer("y"))))

    def found(**where) -> list[str]:
        return [item.external_id for item in store.browse(ItemFilter(**where))]

    assert found(source="b.jsonl") == found(split="test") == found(length=(40, None)) == ["row-7"]
    assert found(length=(None, 40), dataset="charts") == ["row-0", "row-1"]
    assert store.browse()[0].source == "a.jsonl" and store.browse()[0].split == "train"
    facets = store.facets("charts")
    assert facets.sources == ("a.jsonl", "b.jsonl") and facets.splits == ("test", "train")
    ana, ben = store.claim("ana"), store.claim_several("ben", count=2)[-1]
    store.save(answer(ana, "ana", winner_id=ana.left.candidate_id))
    assert found(labelled_by="ana") == ["row-0"] and found(labelled_by="ben") == []
    same = store.card(ana.pair_id, "ben")
    store.save(answer(same, "ben", winner_id=ana.right.candidate_id))
    assert found(agreement="disagree") == ["row-0"] and found(agreement="agree") == []
    assert store.browse()[0].agreement == 0.5
    store.save(answer(ben, "ben"))
    store.save(answer(store.card(ben.pair_id, "ana"), "ana", winner_id=None, kind="tie"))
    assert len(found(agreement="disagree")) == 2
    assert store.facets().annotators == ("ana", "ben")


@pytest.fixture
def ids(store) -> list[int]:
    store.add_rows("charts", make_rows(4))
    return store.ids()


def found(store, **where) -> list[int]:
    return store.ids(ItemFilter(**where))


def test_exactly_the_rows_of_a_finding(store, ids):
    assert found(store, ids=(ids[2], ids[0], 999)) == [ids[0], ids[2]]
    assert found(store, ids=()) == []
    assert found(store, ids=tuple(ids), excluded=True) == []
    assert len(found(store, ids=tuple(range(200_000)))) == 4
