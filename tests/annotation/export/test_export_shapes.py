"""Completions and rankings made of preferences."""

from __future__ import annotations

from studio.annotation.export.export_shapes import completions, rankings
from studio.data.schema import Answer
from tests.annotation.conftest import make_row


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
