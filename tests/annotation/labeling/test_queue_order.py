"""Pairs are handed out by worth, with a share by lot; nobody loses what they hold."""

from __future__ import annotations

import pytest

from studio.annotation.labeling import queue_order
from studio.annotation.labeling.queue_order import queue_line
from tests.annotation.conftest import answer, make_rows


def worth_of(store, dataset="charts"):
    """The later a pair came, the more it is worth."""
    return {pair: float(pair) for pair in store.order.waiting(dataset)}


def drawn(store) -> list[tuple[int, str]]:
    with store._database.read() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(
                "SELECT pair_id, drawn FROM leases ORDER BY handed_at, pair_id"
            )
        ]


def test_the_line_keeps_a_fifth_by_lot_and_puts_the_worthiest_first():
    lots = {pair: (pair * 7 % 100) / 100 for pair in range(100)}
    line = queue_line(lots, 0.2, {pair: float(pair) for pair in range(0, 100, 2)}, first=[11])
    by_lot = [pair for pair, sampled in line if sampled]
    assert by_lot == sorted((p for p in lots if lots[p] < 0.2), key=lots.get)
    ranked = [pair for pair, sampled in line if not sampled]
    assert ranked[0] == 11 and ranked[1] > ranked[2] and ranked[-1] % 2
    for end in (10, 50, 100):  # evenly spread
        assert sum(sampled for _, sampled in line[:end]) == end / 5
    assert {pair for pair, _ in line} == set(lots)
    other = queue_line(lots, 0.2, {}, first=[11])
    assert [pair for pair, sampled in other if sampled] == by_lot
    assert [sampled for _, sampled in queue_line(lots, 1.0, {})] == [True] * 100


def test_it_is_handed_out_in_that_order_and_said_why(store):
    store.add_rows("charts", make_rows(10))
    state = store.order.arrange("lea", "charts", worth_of(store))
    assert state.ranked + state.random == 10 and not state.unordered
    given = [card.pair_id for card in store.claim_several("ana", "charts", 10)]
    why = dict(drawn(store))
    ranked = [pair for pair in given if why[pair] == "ranked"]
    assert ranked == sorted(ranked, reverse=True) and len(ranked) == state.ranked
    assert set(why.values()) <= {"ranked", "random"}
    assert store.team.log(dataset="charts")[0].action == "order queue"


def test_what_comes_later_waits_behind_and_the_old_order_comes_back(store):
    store.add_rows("charts", make_rows(4))
    store.order.arrange("lea", "charts", worth_of(store))
    store.add_rows("charts", make_rows(6))
    assert store.order.state("charts").unordered == 2
    given = [card.pair_id for card in store.claim_several("ana", "charts", 6)]
    assert given[-2:] == [5, 6]
    store.release("ana")
    store.order.clear("lea", "charts")
    assert not store.order.state("charts").ordered
    assert store.claim("ben", "charts").pair_id == 1
    assert {why for pair, why in drawn(store) if pair == 5} == {""}
    assert sorted(why == "" for pair, why in drawn(store) if pair == 1) == [False, True]


def test_two_people_keep_what_they_hold_while_it_is_ordered_again(store, monkeypatch):
    store.add_rows("charts", make_rows(12))
    held = {name: store.claim_several(name, "charts", 3) for name in ("ana", "ben")}
    write = store._database.write
    turns = iter(range(100))
    monkeypatch.setattr(queue_order, "WRITTEN_AT_ONCE", 4)

    def between():
        """Somebody answers between two parts of the order."""
        if (turn := next(turns)) == 1:
            store.save(answer(held["ana"][0], "ana"))
            assert store.claim_several("ana", "charts", 3)[:2] == held["ana"][1:]
        assert turn < 50
        return write()

    monkeypatch.setattr(store._database, "write", between)
    store.order.arrange("lea", "charts", worth_of(store))
    monkeypatch.undo()
    assert store.claim_several("ben", "charts", 3) == held["ben"]
    ana = [card.pair_id for card in store.claim_several("ana", "charts", 6)]
    assert ana[:2] == [card.pair_id for card in held["ana"][1:]]
    assert not set(ana) & {card.pair_id for card in held["ben"]}


def test_an_order_cut_short_leaves_a_queue_that_works(store, monkeypatch):
    store.add_rows("charts", make_rows(9))
    store.order.arrange("lea", "charts", {})
    monkeypatch.setattr(queue_order, "WRITTEN_AT_ONCE", 4)
    write, turns = store._database.write, iter(range(100))

    def killed():
        if next(turns) == 1:
            raise KeyboardInterrupt
        return write()

    monkeypatch.setattr(store._database, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        store.order.arrange("lea", "charts", worth_of(store))
    monkeypatch.undo()
    assert len(store.claim_several("ana", "charts", 9)) == 9
    store.release("ana")
    assert store.order.arrange("lea", "charts", worth_of(store)).unordered == 0


def test_rows_with_the_leads_tags_come_first(store):
    store.add_rows("charts", make_rows(8))
    store.tag([3], "urgent")
    store.team.change_settings("lea", "charts", {"first_tags": ["urgent"], "random_share": 0.0})
    store.order.arrange("lea", "charts", worth_of(store))
    given = [card.pair_id for card in store.claim_several("ana", "charts", 3)]
    assert given == [3, 8, 7]


def test_the_next_pair_is_found_in_the_index(store):
    from studio.annotation.labeling.assignment import FREE

    if store._database.url.startswith("postgresql"):
        pytest.skip("its planner reads small tables whole")
    from sqlalchemy.dialects import sqlite

    sql = str(FREE[True].compile(dialect=sqlite.dialect()))
    with store._database.read() as connection:
        count = sql.count("?")
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (1,) * count).all()
    said = " / ".join(row[3] for row in plan)
    assert "USING INDEX pairs_waiting" in said or "COVERING INDEX pairs_waiting" in said
    assert "TEMP B-TREE" not in said
