"""The agreement figures against published worked examples, and the undefined cases in words."""

from __future__ import annotations

import random
from operator import neg

import krippendorff
import pytest

from studio.annotation.quality import agreement
from studio.annotation.quality.agreement import (
    ALONE,
    SAME,
    alpha,
    kappa,
    kappas,
    measured_kappa,
    percent_agreement,
)

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers,
# twelve units, missing data; nominal α = .743, ordinal α = .815.
KRIPPENDORFF = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""

# The same paper, section A: two observers, ten units, two values; α = .095.
BINARY = "0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0"


def ratings(table: str) -> list[tuple[int, int, int]]:
    return [
        (unit, rater, int(value))
        for rater, line in enumerate(table.split("\n"))
        for unit, value in enumerate(line.split())
        if value != "."
    ]


@pytest.mark.parametrize(
    ("table", "level", "published"),
    [
        (KRIPPENDORFF, "nominal", 0.743),
        (KRIPPENDORFF, "ordinal", 0.815),
        (BINARY, "nominal", 0.095),
    ],
)
def test_alpha_of_krippendorff_s_own_examples(table, level, published):
    found = alpha(ratings(table), level)
    assert found.value == pytest.approx(published, abs=0.0006)
    assert found.low < found.value < found.high <= 1


def test_units_seen_by_one_person_do_not_count():
    assert alpha(ratings(KRIPPENDORFF), "nominal").count == 11


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_is_the_same_as_that_of_the_package(level):
    counts, _ = agreement._value_counts(ratings(KRIPPENDORFF))
    package = krippendorff.alpha(value_counts=counts, level_of_measurement=level)
    assert alpha(ratings(KRIPPENDORFF), level, resamples=0).value == pytest.approx(package)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_an_exchange_counts_each_unit_half_as_it_is_and_half_exchanged(level):
    """The package, given both forms of each unit, has twice the values: 2n − 1 for n − 1."""
    rows = _preferred_first()
    both = [*rows, *((f"{unit} exchanged", rater, -value) for unit, rater, value in rows)]
    counts, _ = agreement._value_counts(both)
    doubled = krippendorff.alpha(value_counts=counts, level_of_measurement=level)
    n = len(rows)
    wanted = 1 - (1 - doubled) * 2 * (n - 1) / (2 * n - 1)
    assert alpha(rows, level, exchange=neg, resamples=0).value == pytest.approx(wanted)


def _preferred_first() -> list[tuple[int, str, int]]:
    """Thirty pairs whose better answer is stored first; two people err on three others each."""
    wrong = {"ana": {1, 2, 3}, "ben": {11, 12, 13}}
    return [(n, who, 2 if n in wrong[who] else -2) for n in range(30) for who in wrong]


def test_good_annotators_agree_though_the_better_answer_is_always_stored_first():
    rows = _preferred_first()
    assert percent_agreement(rows).value == pytest.approx(0.8)
    assert alpha(rows, "nominal").value < 0, "so it was"
    for level in ("nominal", "ordinal"):
        found = alpha(rows, level, exchange=neg)
        assert found.value == pytest.approx(0.6, abs=0.02) and found.count == 30
        assert 0.2 < found.low < found.value < found.high
    assert kappas(rows, neg)["ana", "ben"].value == pytest.approx(0.6)
    assert kappas(rows, neg)["ana", "ben"].count == 30


@pytest.mark.parametrize("seed", range(20))
def test_which_candidate_is_stored_first_changes_no_figure(seed):
    draw = random.Random(seed)
    people = ["ana", "ben", "cho", "dia"][: draw.randint(2, 4)]
    rows = [
        (unit, who, draw.choice((-3, -2, -2, -1, 0, 1, 2)))
        for unit in range(draw.randint(4, 40))
        for who in people
        if draw.random() < 0.8
    ]
    exchanged = {unit for unit, _, _ in rows if draw.random() < 0.5}
    other = [(unit, who, -value if unit in exchanged else value) for unit, who, value in rows]
    for level in ("nominal", "ordinal"):
        one, two = (alpha(given, level, exchange=neg, resamples=50) for given in (rows, other))
        assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))
        assert one.count == two.count
    one, two = kappas(rows, neg), kappas(other, neg)
    assert one.keys() == two.keys()
    for pair, figure in one.items():
        assert figure.value == pytest.approx(two[pair].value) and figure.why == two[pair].why


def test_the_same_side_of_every_pair_is_agreement_ties_alone_are_not():
    alike = [(unit, who, -2) for unit in range(5) for who in ("ana", "ben")]
    assert alpha(alike, "nominal", exchange=neg).value == 1
    assert kappas(alike, neg)["ana", "ben"].value == 1
    ties = [(unit, who, 0) for unit, who, _ in alike]
    assert alpha(ties, "ordinal", exchange=neg).why == SAME
    assert kappas(ties, neg)["ana", "ben"].why == SAME


def test_the_interval_is_repeatable_and_narrows_with_more_pairs():
    few = ratings(KRIPPENDORFF)
    many = [(unit + 100 * copy, rater, value) for copy in range(20) for unit, rater, value in few]
    wide, narrow = alpha(few, "nominal"), alpha(many, "nominal")
    assert alpha(few, "nominal") == wide
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_kappa_of_cohen_s_example():
    # Cohen, A Coefficient of Agreement for Nominal Scales (1960): two judges, 200 cases; κ = .492.
    cells = {
        (0, 0): 88, (0, 1): 14, (0, 2): 18, (1, 0): 10, (1, 1): 40, (1, 2): 10,
        (2, 0): 2, (2, 1): 6, (2, 2): 12,
    }  # fmt: skip
    one = [a for (a, _), number in cells.items() for _ in range(number)]
    two = [b for (_, b), number in cells.items() for _ in range(number)]
    assert len(one) == 200
    assert kappa(one, two).value == pytest.approx(0.492, abs=0.0005)


def test_kappa_of_a_two_by_two_table():
    # The grant-reading example in many textbooks: 20, 5, 10, 15 of 50; κ = 0.4.
    one = [1] * 25 + [0] * 25
    two = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert kappa(one, two).value == pytest.approx(0.4)


def test_kappas_of_every_two_people_with_something_in_common():
    rows = [(1, "ana", 0), (1, "ben", 0), (2, "ana", 1), (2, "ben", 1), (3, "cho", 1)]
    found = kappas([*rows, (4, "ben", 0), (4, "cho", 0)])
    assert set(found) == {("ana", "ben"), ("ben", "cho")}
    assert found["ana", "ben"].value == 1
    assert found["ben", "cho"].why == SAME


def test_percent_agreement_counts_comparisons_of_people():
    rows = [(1, "a", 0), (1, "b", 0), (1, "c", 1), (2, "a", 1), (2, "b", 1)]
    found = percent_agreement(rows)
    assert (found.value, found.count) == (0.5, 4)


def test_what_is_undefined_is_said_in_words():
    alone = [(1, "a", 0), (2, "b", 1)]
    same = [(1, "a", 0), (1, "b", 0)]
    assert alpha(alone, "nominal").why == ALONE
    assert percent_agreement(alone).why == ALONE
    assert alpha(same, "ordinal").why == SAME
    assert percent_agreement(same).value == 1
    assert "in common" in kappa([], []).why
    assert "gold" in agreement.gold_accuracy(0, 0).why
    assert "second time" in agreement.self_consistency(0, 0).why


def test_kappa_has_an_interval_that_does_not_depend_on_which_answer_is_stored_first():
    one = [0, 1, 0, 1, 2, 0, 1, 0, 1, 0]
    two = [0, 1, 0, 0, 2, 0, 1, 1, 1, 0]
    turned = [{0: 1, 1: 0}.get(value, value) for value in one]
    other = [{0: 1, 1: 0}.get(value, value) for value in two]
    found = measured_kappa(one, two, _exchanged)
    assert found.low < found.value < found.high <= 1 and found.count == 10
    assert measured_kappa(turned, other, _exchanged).value == pytest.approx(found.value)
    assert (found.value, found.count) == (kappa(one, two, _exchanged).value, 10)
    more = measured_kappa(one * 20, two * 20, _exchanged)
    assert more.high - more.low < (found.high - found.low) / 2
    assert measured_kappa([0, 0], [0, 0]).value is None
    same = measured_kappa(one, one, _exchanged)
    assert (same.value, same.low, same.high) == pytest.approx((1, 1, 1))


def _exchanged(value: int) -> int:
    return {0: 1, 1: 0}.get(value, value)
