"""Completions and rankings made of preferences."""

from __future__ import annotations

from studio.annotation import ItemFilter
from studio.annotation.export.export_shapes import completions, rankings, verdicts
from studio.data.schema import Answer
from tests.annotation.conftest import answer, by_first, make_row


def row(best: str, worst: str, pair: int = 1, **meta):
    values = {"chosen": Answer(best, "a"), "rejected": Answer(worst, "b"), "candidates": ()}
    return make_row(1, external_id=f"r#{pair}", meta={"pair": pair, **meta}, **values)


def texts(rows) -> list[str]:
    return [one.completion.text for one in completions(rows)[0]]


def test_the_best_answer_of_an_item_is_what_people_wrote_else_what_was_never_rejected():
    chain = [row("a", "b", 1), row("b", "c", 2)]
    assert texts(chain) == ["a"]
    assert texts([*chain, row("a2", "a", 3, written="edit")]) == ["a2"]
    assert texts([*chain, row("a2", "a", 3, written="edit"), row("i", "b", 4, written="ideal")]) == ["i"]  # fmt: skip
    circle = [row("a", "b", 1), row("b", "c", 2), row("c", "a", 3)]
    assert completions(circle) == ([], 1)
    assert completions(chain)[0][0].external_id == "r"


def test_a_ranking_orders_by_comparisons_won():
    (ranking,) = rankings([row("a", "b", 1), row("b", "c", 2), row("a", "c", 3)])
    assert [one.text for one in ranking.answers] == ["a", "b", "c"]
    assert (ranking.wins, ranking.losses) == ((2, 1, 0), (0, 1, 2))


def judged(store, **changes) -> dict[str, str]:
    """Verdict by the text of the answer."""
    rows, left_out = verdicts(
        store.preferences("charts"),
        store.answers("charts"),
        store.every(ItemFilter(dataset="charts", excluded=False)),
    )
    assert left_out == changes
    return {one.completion.text: one.meta["verdict"] for one in rows}


def test_both_of_a_pair_are_good_or_bad_where_most_people_said_so(store):
    candidates = [(Answer(f"a{n}"), Answer(f"b{n}")) for n in range(3)]
    store.add_rows("charts", [make_row(n, candidates=two) for n, two in enumerate(candidates)])
    for kind in ("choose", "both_good", "both_bad"):
        card = store.claim("ana")
        store.save(answer(card, "ana", by_first(card), kind=kind))
    assert judged(store, tied=-2, even=0) == {
        "a0": "good",
        "b0": "bad",
        "a1": "good",
        "b1": "good",
        "a2": "bad",
        "b2": "bad",
    }


def test_an_answer_as_often_good_as_bad_has_no_verdict(store):
    store.add_rows("charts", [make_row(1, candidates=(Answer("a"), Answer("b"), Answer("c")))])
    while card := store.claim("ana"):
        store.save(answer(card, "ana", by_first(card)))
    found = judged(store, tied=0, even=1)  # a beats b and c, b beats c
    assert found == {"a": "good", "c": "bad"}


def test_a_verdict_that_came_with_a_single_answer_stands(store):
    rows = [
        make_row(n, candidates=(Answer(f"x{n}"),), meta={"verdict": verdict})
        for n, verdict in enumerate(("bad", "good"))
    ]
    store.add_rows("charts", rows)
    assert judged(store, tied=0, even=0) == {"x0": "bad", "x1": "good"}
