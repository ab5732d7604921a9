"""What can be done with a dataset: trained, labelled, answered."""

from __future__ import annotations

from studio.annotation import TextChange
from studio.annotation.library.dataset_next_steps import NextSteps
from studio.annotation.library.trainable_rows import parse_library, trainable_rows
from studio.annotation.quality.adjudication import DecisionEvent
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


def test_pairs_are_counted_by_the_rule_that_freezes_the_rows_of_a_run(store):
    both = {"chosen": Answer("yes"), "rejected": Answer("no")}
    store.add_rows("charts", [
        *(make_row(n) for n in range(9)), *(make_row(n, candidates=(), **both) for n in (9, 10, 11))
    ])  # fmt: skip
    store.team.change_settings("lea", "charts", {"overlap": 3})
    pairs = [item.pairs[0] for item in store.browse()]
    number_of = {pair.id: number for number, pair in enumerate(pairs)}
    said = {0: "12s", 1: "112", 2: "1ts", 3: "tss", 4: "111", 5: "12t", 6: "1", 8: "et", 9: "t"}
    for place, person in enumerate(("ana", "ben", "cem")):
        while card := store.claim(person, "charts"):
            number = number_of[card.pair_id]
            word = said.get(number, "")[place : place + 1] or "s"
            changes = {"s": {"kind": "skip"}, "t": {"kind": "tie"}, "e": {"edit": "new"}}
            pair = pairs[number]
            winner = {"1": pair.first_id, "2": pair.second_id}.get(word)
            given = {"winner_id": winner} if winner else changes[word]
            store.save(answer(card, person, **given))
    store.team.decide(DecisionEvent("d-1", pairs[4].id, "lea", "tie"))
    store.team.decide(DecisionEvent("d-2", pairs[5].id, "lea", "choose", pairs[5].first_id))
    store.team.set_gold("lea", pairs[7].id, "choose", pairs[7].second_id)
    item = next(item for item in store.browse() if item.external_id == "row-10")
    same = TextChange(item.id, item.candidates[1].id, 0, item.candidates[0].text, "lea")
    store.edit(same)
    where = parse_library("library:charts")
    for _ in range(2):
        steps = store.next_steps("charts")
        assert steps.preferences == trainable_rows(store, where, "dpo").rows > 0
        assert steps.answers == trainable_rows(store, where, "sft").rows > 0
        sizes = store.team.queue_sizes("charts")
        assert steps.to_decide == sum(sizes.values()) - sizes["decided"] > 0
        store.undo("ana", pair_id=pairs[8].id)  # what was written with it goes too


def test_nothing_is_counted_of_an_import_on_its_way_or_of_no_dataset(store):
    with store.importing("charts") as batch:
        batch.add_rows([make_row(1), make_row(2, candidates=())])
        batch.settle()
        assert store.next_steps("charts") == NextSteps("charts")
    assert store.next_steps("charts").unanswered == 1
    assert store.next_steps("nothing") == NextSteps("nothing")
