"""What a model preferred before people judged says whether more labels are worth it."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.launch.learning_curve import (
    NOT_YET,
    CurvePoint,
    curve_sentence,
    learning_curve,
    write_point,
)
from tests.annotation.conftest import make_rows


@pytest.fixture
def store(tmp_path):
    opened = AnnotationStore(f"sqlite:///{tmp_path / 'studio.db'}")
    opened.add_rows("set", make_rows(30))
    yield opened
    opened.close()


def judge(store, pairs, place):
    for pair in pairs:
        card = store.card(pair, "ana")
        first, second = sorted((card.left.candidate_id, card.right.candidate_id))
        winner = (first, second)[place]
        store.save(LabelEvent(f"key-of-{pair}", pair, "ana", "choose", winner))


def test_only_pairs_judged_since_count_and_a_torn_line_does_not(store, tmp_path):
    path = tmp_path / "curve.jsonl"
    assert learning_curve(store, "set", path).sentence == NOT_YET
    write_point(path, 0, "base", {pair: 0 for pair in range(1, 31)})
    assert learning_curve(store, "set", path).sentence == NOT_YET
    judge(store, range(1, 16), 0)
    judge(store, range(16, 25), 1)
    write_point(path, 24, "run", {pair: 1 for pair in range(25, 31)})
    with path.open("a") as handle:
        handle.write('{"labels": 9, "preferred": {"1"')
    (point,) = learning_curve(store, "set", path).points
    assert (point.labels, point.model, point.pairs, point.value) == (0, "base", 24, 15 / 24)
    assert point.low < 15 / 24 < point.high


def test_what_the_last_labels_moved_is_said_with_its_interval():
    few = [CurvePoint(100, "a", 0.80, 0.7, 0.9, 50), CurvePoint(200, "b", 0.803, 0.7, 0.9, 50)]
    said = curve_sentence(few)
    assert "last 100 labels moved it by +0.3 points" in said and "too little to tell" in said
    many = [CurvePoint(100, "a", 0.6, 0.5, 0.7, 900), CurvePoint(200, "b", 0.8, 0.7, 0.9, 900)]
    assert "worth it" in curve_sentence(many)
    worse = CurvePoint(300, "c", 0.4, 0.3, 0.5, 900)
    assert "got worse" in curve_sentence([*many, worse])
    assert "again after more labels" in curve_sentence(many[:1])
