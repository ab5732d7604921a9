"""What can be done with a dataset: trained, labelled, answered."""

from __future__ import annotations

from studio.annotation.library.dataset_next_steps import NextSteps
from studio.annotation.library.trainable_rows import parse_library, trainable_rows
from studio.data.schema import VERDICT, Answer
from tests.annotation.conftest import answer, make_row


def test_everything_is_counted_as_training_would_take_it(store):
    rows = [
        make_row(1),
        make_row(2, candidates=(), completion=Answer("red")),
        make_row(3, candidates=(), chosen=Answer("yes"), rejected=Answer("no")),
        make_row(4, candidates=()),
        make_row(5, candidates=(Answer("wrong"),), meta={VERDICT: "bad"}),
        make_row(6),
        make_row(7, candidates=(), completion=Answer("blue")),
        make_row(8, candidates=(), completion=Answer("green")),
    ]
    store.add_rows("charts", rows)
    store.add_rows("other", [make_row(1)])
    ids = store.ids()
    store.exclude([ids[6]])
    store.delete([ids[7]])
    assert store.next_steps("charts") == NextSteps(
        "charts", answers=2, preferences=1, waiting=3, undecided=2, single=1, unanswered=1
    )
    for kind in ("choose", "tie"):
        store.save(answer(store.claim("ana", "charts"), "ana", kind=kind))
    steps = store.next_steps("charts")
    where = parse_library("library:charts")
    assert steps.answers == trainable_rows(store, where, "sft").rows
    assert steps.preferences == trainable_rows(store, where, "dpo").rows
    assert steps.waiting == 1


def test_nothing_is_counted_of_an_import_on_its_way_or_of_no_dataset(store):
    with store.importing("charts") as batch:
        batch.add_rows([make_row(1), make_row(2, candidates=())])
        batch.settle()
        assert store.next_steps("charts") == NextSteps("charts")
    assert store.next_steps("charts").unanswered == 1
    assert store.next_steps("nothing") == NextSteps("nothing")
