import math

import numpy as np
import pytest

from studio.evaluation.win_rate import Vote, votes_to_tell, win_rate, win_rates_by_person


def votes(outcomes, person="ann", start=0):
    """A vote for each letter: n(ew), o(ld), t(ie)."""
    names = {"n": "new", "o": "old", "t": None}
    return [
        Vote(f"row {start + place}", person, ("old", "new"), names[letter])
        for place, letter in enumerate(outcomes)
    ]


def test_a_tie_is_half_a_win():
    rate = win_rate(votes("nnto"), "old", "new")
    assert rate.value == 2.5 / 4
    assert (rate.wins, rate.ties, rate.losses, rate.rows, rate.votes) == (2, 1, 1, 4, 4)
    assert rate.low < rate.value < rate.high


def test_the_other_side_sees_the_rest():
    given = votes("nnntnnon")
    rate, other = win_rate(given, "old", "new"), win_rate(given, "new", "old")
    assert other.value == pytest.approx(1 - rate.value)
    assert (other.low, other.high) == pytest.approx((1 - rate.high, 1 - rate.low))
    assert other.votes_needed == rate.votes_needed
    assert other.votes_at_this_rate == rate.votes_at_this_rate


def test_many_wins_say_stop():
    assert win_rate(votes("n" * 8 + "o"), "old", "new").stop == ""
    rate = win_rate(votes("n" * 30 + "o" * 3), "old", "new")
    assert (rate.stop, rate.better, rate.votes_needed) == ("second", "new", 0)
    assert rate.low > 0.5
    assert win_rate(votes("o" * 30 + "n" * 3), "old", "new").better == "old"


def test_many_ties_say_stop_for_there_is_nothing_to_tell():
    rate = win_rate(votes("t" * 60), "old", "new")
    assert (rate.stop, rate.better, rate.votes_needed) == ("equal", None, 0)
    assert win_rate(votes("no" * 30), "old", "new").stop == ""


def test_votes_of_several_people_on_a_row_are_one_row():
    one = win_rate(votes("n" * 12), "old", "new")
    three = win_rate(
        [vote for person in ("ann", "bob", "cyd") for vote in votes("n" * 12, person)],
        "old",
        "new",
    )
    assert (three.votes, three.rows) == (36, 12)
    assert (three.low, three.high) == (one.low, one.high)
    split = win_rate([*votes("nn"), *votes("no", "bob")], "old", "new")
    assert split.value == 0.75


def test_votes_between_others_do_not_count():
    others = [Vote("row 1", "ann", ("new", "base"), "base")]
    assert win_rate([*votes("n"), *others], "old", "new").votes == 1


def test_nobody_voted():
    rate = win_rate([], "old", "new")
    assert (rate.value, rate.low, rate.high, rate.rows) == (None, 0, 1, 0)
    assert rate.votes_needed == votes_to_tell()
    assert rate.votes_at_this_rate is None


def test_each_person_has_a_rate():
    given = [*votes("nno", "bob"), *votes("o", "ann"), *votes("ttt", "cyd")]
    rates = win_rates_by_person(given, "old", "new")
    assert list(rates) == ["bob", "cyd", "ann"]
    assert [rate.value for rate in rates.values()] == [pytest.approx(2 / 3), 0.5, 0]


@pytest.mark.parametrize(("rate", "ties"), [(0.7, 0.0), (0.7, 0.3)])
def test_the_votes_that_are_needed_tell_four_times_in_five(rate, ties):
    needed = votes_to_tell(rate, ties=ties)
    rng = np.random.default_rng(1)
    chances = (1 - rate - ties / 2, ties, rate - ties / 2)
    drawn = rng.choice(3, size=(150, needed), p=chances)
    counts = [np.bincount(row, minlength=3) for row in drawn]
    told = [
        win_rate(votes("o" * lost + "t" * tied + "n" * won), "old", "new").stop == "second"
        for lost, tied, won in counts
    ]
    assert 0.72 < np.mean(told) < 0.92


def test_fewer_votes_are_needed_for_more_difference_more_ties_or_a_lead():
    assert votes_to_tell(0.9) < votes_to_tell(0.7) < votes_to_tell(0.6) < votes_to_tell()
    assert votes_to_tell(ties=0.4) < votes_to_tell()
    ahead, even = {1.0: 40, 0.0: 20}, {1.0: 30, 0.0: 30}
    assert votes_to_tell(seen=ahead) < votes_to_tell(seen=even)


def test_a_lead_is_told_sooner_if_it_stays():
    rate = win_rate(votes("nnnno"), "old", "new")
    assert rate.votes_at_this_rate < 50 < rate.votes_needed
    assert win_rate(votes("no" * 20), "old", "new").votes_at_this_rate is None


def test_impossible_shares_of_ties_are_taken_as_none():
    assert votes_to_tell(0.9, ties=0.5) == votes_to_tell(0.9)
    assert math.isfinite(votes_to_tell(1.0))
