import numpy as np
import pytest

from studio.evaluation.bradley_terry import bradley_terry, strengths
from studio.evaluation.win_rate import Vote

TRUE = {"base": 0.0, "sft": 0.6, "dpo": 1.2}


def drawn_votes(count, seed=0, ties=0.0):
    rng = np.random.default_rng(seed)
    names = list(TRUE)
    votes = []
    for number in range(count):
        one, two = (names[place] for place in rng.choice(3, 2, replace=False))
        chance = 1 / (1 + np.exp(TRUE[two] - TRUE[one]))
        winner = None if rng.random() < ties else one if rng.random() < chance else two
        votes.append(Vote(f"row {number}", "ann", (one, two), winner))
    return votes


def test_two_contestants_without_a_prior_are_the_log_odds(monkeypatch):
    monkeypatch.setattr("studio.evaluation.bradley_terry.PRIOR_SPREAD", 1e4)
    theta = strengths(np.array([[0, 30.0], [10, 0]]))
    assert theta[0] - theta[1] == pytest.approx(np.log(3), abs=1e-6)


def test_the_strengths_are_those_of_choix():
    wins = np.array([[0, 12, 3], [5, 0, 7.0], [1, 2, 0]])
    # choix 0.4.1: opt_pairwise of these wins with alpha = 1 / (2 · 1.5²), its penalty being α Σ θ².
    assert strengths(wins) == pytest.approx([0.754465, 0.055050, -0.809515], abs=1e-5)


def test_the_slope_is_zero_at_the_strengths_of_every_state():
    wins = np.random.default_rng(1).integers(0, 20, (50, 4, 4)).astype(float)
    wins[:, range(4), range(4)] = 0
    theta = strengths(wins)
    chance = 1 / (1 + np.exp(theta[:, None, :] - theta[:, :, None]))
    played = wins + wins.swapaxes(1, 2)
    slope = wins.sum(axis=2) - (played * chance).sum(axis=2) - theta / 1.5**2
    assert np.abs(slope).max() < 1e-8


def test_the_order_and_the_chances_are_found():
    ranked = bradley_terry(drawn_votes(900))
    assert [one.name for one in ranked] == ["dpo", "sft", "base"]
    assert ranked[0].best > 0.99
    # Mean chance of dpo against the two others.
    expected = (1 / (1 + np.exp(-1.2)) + 1 / (1 + np.exp(-0.6))) / 2
    assert ranked[0].win_rate.low < expected < ranked[0].win_rate.high
    assert sum(one.strength.value for one in ranked) == pytest.approx(0)
    assert sum(one.win_rate.value for one in ranked) == pytest.approx(1.5)
    assert sum(one.strength.rows for one in ranked) == 1800


def test_intervals_hold_what_they_promise():
    held = []
    for seed in range(60):
        ranked = {one.name: one for one in bradley_terry(drawn_votes(240, seed), resamples=200)}
        strength = ranked["dpo"].strength
        held.append(strength.low <= 0.6 <= strength.high)
    assert np.mean(held) > 0.88


def test_ties_pull_together():
    apart = bradley_terry(drawn_votes(600))
    close = bradley_terry(drawn_votes(600, ties=0.7))
    assert close[0].strength.value < apart[0].strength.value / 2


@pytest.mark.parametrize("count", [1, 20, 2000])
def test_an_unbeaten_contestant_has_a_strength_and_a_doubt(count):
    ranked = bradley_terry(
        [Vote(f"row {number}", "ann", ("new", "old"), "new") for number in range(count)]
    )
    first = ranked[0]
    assert first.name == "new"
    assert 0 < first.strength.value < 5
    assert first.strength.low < first.strength.value < first.strength.high
    assert first.win_rate.value < 1
    assert first.win_rate.low < 0.9 or count > 1


def test_one_vote_does_not_make_a_best_model():
    assert bradley_terry([Vote("row", "ann", ("new", "old"), "new")])[0].best < 0.95


def test_contestants_that_never_met_are_compared_by_the_others():
    votes = [Vote(f"a{n}", "ann", ("one", "two"), "one" if n % 4 else "two") for n in range(80)]
    votes += [
        Vote(f"b{n}", "ann", ("two", "three"), "two" if n % 4 else "three") for n in range(80)
    ]
    assert [one.name for one in bradley_terry(votes)] == ["one", "two", "three"]


def test_votes_on_one_row_are_drawn_together():
    apart = [Vote(f"row {n}", "ann", ("new", "old"), "new" if n % 3 else "old") for n in range(60)]
    same = [
        Vote(f"row {n % 6}", str(n), ("new", "old"), "new" if n % 3 else "old") for n in range(60)
    ]
    wide, narrow = bradley_terry(same)[0].strength, bradley_terry(apart)[0].strength
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_same_votes_give_the_same_figures():
    votes = drawn_votes(50)
    assert bradley_terry(votes) == bradley_terry(votes)
    assert bradley_terry(votes, seed=1) != bradley_terry(votes)


def test_nobody_voted():
    assert bradley_terry([]) == []
