"""Every figure of the dashboard, from answers made up for it."""

from __future__ import annotations

import pytest

from studio.annotation.quality.annotator_figures import DAY, Gathered, GivenAnswer, measure
from tests.annotation.conftest import label_all, make_rows

START = 1_800_000_000.0


def given(pair: int, who: str, kind: str = "choose", winner: int | None = None, **changes):
    """An answer to a pair of the candidates 10·pair (4 characters) and 10·pair + 1 (9)."""
    first = 10 * pair
    values = {
        "pair_id": pair, "annotator": who, "kind": kind, "winner_id": winner, "strength": "",
        "reason": "", "elapsed_ms": 4_000, "shown_left_id": first, "created_at": START + 20 * pair,
        "first_id": first, "first_length": 4, "second_length": 9,
    }  # fmt: skip
    if kind == "choose" and winner is None:
        values["winner_id"] = first
    return GivenAnswer(**(values | changes))


ANSWERS = [
    given(1, "ana"),
    given(2, "ana", winner=21, strength="clearly"),
    given(3, "ana", "tie", elapsed_ms=400),
    given(4, "ana", gold=True),
    given(5, "ana", created_at=START + 2_000),
    given(6, "ana", "skip", reason="Image unclear", elapsed_ms=1_000),
    given(1, "ben", elapsed_ms=8_000),
    given(2, "ben", winner=20, elapsed_ms=8_000),
    given(3, "ben", "both_bad", elapsed_ms=8_000),
    given(7, "ben", "skip"),
]


@pytest.fixture(scope="module")
def found():
    checked = {"golden": [("ana", True)], "again": [("ana", False)]}
    gathered = Gathered(ANSWERS, pairs=10, done=4, missing=6, **checked)
    return measure(gathered, START + 3_600, resamples=50)


def test_progress_and_forecast(found):
    assert (found.pairs, found.done, found.answers) == (10, 4, 10)
    assert found.median_seconds == 4.0
    forecast = found.forecast
    assert (forecast.answers, forecast.hours) == (6, 6 * 4 / 3600)
    assert forecast.days == 0.0  # ten answers in less than an hour
    idle = measure(Gathered(ANSWERS, 10, 4, 6), START + 30 * DAY, resamples=0).forecast
    assert idle.days is None and "last seven days" in idle.why


def test_each_person_s_pace_and_habits(found):
    ana, ben = found.people
    assert (ana.name, ana.answers, ana.skips, ana.median_seconds) == ("ana", 6, 1, 4.0)
    assert (ben.name, ben.answers, ben.skips, ben.median_seconds) == ("ben", 4, 1, 8.0)
    assert ana.per_hour.value is None and "10 minutes" in ana.per_hour.why
    assert (ana.left.value, ana.left.count) == (3 / 4, 4)
    assert ana.left.low < 0.5 < ana.left.high
    assert (ana.longer.value, ben.longer.value) == (1 / 4, 0.0)
    assert (ana.too_fast, ben.too_fast) == (1, 0)
    assert (ana.last_at, ben.last_at) == (START + 2_000, START + 140)
    assert (ana.gold.value, ana.gold.count) == (1.0, 1)
    assert ben.gold.value is None and "gold pair" in ben.gold.why
    assert (ana.consistency.value, ana.consistency.count) == (0.0, 1)
    assert ben.consistency.value is None and "second time" in ben.consistency.why


def test_a_rate_is_told_of_a_time_that_means_something():
    def rate(count: int, gap: float):
        answers = [given(n, "ana", created_at=START + gap * n) for n in range(1, count + 1)]
        return measure(Gathered(answers, 90, 0, 90), START, resamples=0).people[0].per_hour

    assert rate(31, 25).value == 3600 / 25 and rate(31, 25).count == 30
    for figure in (rate(1, 1), rate(40, 0.26), rate(24, 25), rate(5, 299)):
        assert figure.value is None and "10 minutes of work and 5 answers" in figure.why


def test_the_figures_of_all(found):
    assert (found.left.value, found.left.count) == (5 / 6, 6)
    assert (found.longer.value, found.longer.count) == (1 / 6, 6)
    assert found.lengths == (4, 9)
    assert (found.too_fast.value, found.too_fast.count) == (1 / 8, 8)
    assert found.percent.value == 1 / 3  # of pairs 1 to 3 they agree on the first
    assert found.nominal.count == found.ordinal.count == 3
    assert found.nominal.low <= found.nominal.value <= found.nominal.high
    assert list(found.kappas) == [("ana", "ben")]
    assert found.kappas["ana", "ben"].count == 3
    assert found.skip_reasons == {"Image unclear": 1, "no reason": 1}
    unsure = Gathered([*ANSWERS, given(8, "ben", "unsure")], 10, 4, 6)
    more = measure(unsure, START + 3_600, resamples=0)
    assert more.skip_reasons["can't tell"] == 1 and more.people[1].skips == 2


def test_an_answer_is_too_fast_by_the_studio_s_clock_as_by_the_page_s():
    def told(elapsed: int | None, since: float | None, length: int = 100) -> bool:
        handed = None if since is None else START - since
        return given(1, "ana", elapsed_ms=elapsed, created_at=START, handed_at=handed,
                     first_length=length, second_length=length).too_fast  # fmt: skip

    assert told(400, None) and told(400, 60) and not told(900, 60)
    assert told(900, 60, length=400)  # 800 characters in 0.9 s
    assert told(None, 0.2) and not told(None, None)
    assert told(9_000, 2.0), "the page says more than has passed since the pair was handed out"
    assert not told(2_500, 2.0)
    assert not told(5_000, -9.0), "brought from elsewhere, with its own time"


def test_strength_orders_the_answers():
    first, second = given(1, "ana", strength="slightly"), given(1, "ana", winner=11)
    clearly = given(1, "ana", winner=11, strength="clearly")
    assert [one.ordinal for one in (first, given(1, "a", "tie"), second, clearly)] == [-1, 0, 2, 3]


def test_the_pace_is_by_hour_and_later_by_day():
    first = [given(1, "ana"), given(2, "ana"), given(3, "ana", created_at=START + 2 * 3_600 + 99)]
    pace = measure(Gathered(first, 3, 3, 0), START, resamples=0).pace
    assert (pace.unit, pace.totals) == ("hour", ((0, 0), (1, 2), (2, 2), (3, 3)))
    later = [*first, given(4, "ana", created_at=START + 2 * DAY + 99)]
    pace = measure(Gathered(later, 4, 4, 0), START, resamples=0).pace
    assert (pace.unit, pace.totals) == ("day", ((0, 0), (1, 3), (2, 3), (3, 4)))


def test_nothing_yet_is_said_and_not_a_number():
    found = measure(Gathered([], 3, 0, 3), START)
    for figure in (found.nominal, found.percent, found.gold, found.left, found.too_fast):
        assert figure.value is None and figure.why
    assert found.people == [] and found.pace.totals == ()


def test_the_order_in_which_the_two_answers_are_stored_changes_no_agreement():
    """Thirty pairs whose better answer is stored first; each of two people errs on three."""
    wrong = {"ana": {1, 2, 3}, "ben": {11, 12, 13}}

    def figures(last: int):
        """The better answer of pairs above `last` is stored second."""
        answers = []
        for n in range(1, 31):
            first, second = 10 * n, 10 * n + 1
            better, worse = (first, second) if n <= last else (second, first)
            answers += [given(n, who, winner=worse if n in wrong[who] else better) for who in wrong]
        return measure(Gathered(answers, 30, 30, 0), START, resamples=20)

    stored, exchanged = figures(30), figures(12)
    assert stored.percent.value == pytest.approx(0.8)
    assert stored.nominal.value == pytest.approx(0.6, abs=0.02)
    assert stored.ordinal.value == pytest.approx(0.6, abs=0.02)
    assert stored.kappas["ana", "ben"].value == pytest.approx(0.6)
    for one, two in (
        (stored.nominal, exchanged.nominal),
        (stored.ordinal, exchanged.ordinal),
        (stored.kappas["ana", "ben"], exchanged.kappas["ana", "ben"]),
    ):
        assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


def test_gold_pairs_are_done_because_they_need_no_answers(store):
    store.add_rows("charts", make_rows(4))
    store.team.set_gold("lea", 4, "choose", store.item(4).candidates[0].id)
    store.team.change_settings("lea", "charts", {"repeat_share": 0})
    found = store.team.quality("charts", 0)
    assert (found.done, found.pairs, found.golden) == (1, 4, 1)
    label_all(store, "ana")
    found = store.team.quality("charts", 0)
    assert (found.done, found.pairs, found.forecast.answers) == (4, 4, 0)
