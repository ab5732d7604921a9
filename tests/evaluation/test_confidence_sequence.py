import numpy as np
import pytest
from scipy.special import betaln

from studio.evaluation.confidence_sequence import ALPHA, confidence_sequence, log_capital

VALUES = np.array([0.0, 0.5, 1.0])


def states(chances, people, votes, seed):
    """Counts of losses, ties and wins after each of many votes: people × votes × 3."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(3, size=(people, votes), p=chances)
    return np.cumsum(drawn[..., None] == np.arange(3), axis=1)


def evidence(counts, mean):
    """log K after each vote; equal states are computed once."""
    distinct, places = np.unique(counts.reshape(-1, 3), axis=0, return_inverse=True)
    blocks = np.array_split(distinct, max(1, len(distinct) // 2000))
    values = np.concatenate([log_capital(VALUES, block, mean) for block in blocks])
    return values[places.ravel()].reshape(counts.shape[:-1])


@pytest.mark.parametrize(
    "chances",
    [(0.5, 0, 0.5), (0.35, 0.3, 0.35), (0.1, 0, 0.9), (0.05, 0.2, 0.75)],
)
def test_the_true_win_rate_is_inside_at_every_look(chances):
    counts = states(chances, people=1000, votes=400, seed=7)
    mean = chances[1] / 2 + chances[2]
    ever_outside = (evidence(counts, mean) >= np.log(1 / ALPHA)).any(axis=1)
    assert 0 < ever_outside.mean() < ALPHA


def test_an_interval_for_a_fixed_number_of_votes_would_not_hold():
    # What the sequence is for: Wald's interval, looked at after each vote, fails often.
    counts = states((0.5, 0, 0.5), people=300, votes=400, seed=7)[:, 20:]
    votes = counts.sum(axis=-1)
    rate = counts[..., 2] / votes
    outside = np.abs(rate - 0.5) > 1.96 * np.sqrt(rate * (1 - rate) / votes)
    assert outside.any(axis=1).mean() > 0.25


@pytest.mark.parametrize(
    ("rate", "votes", "power"), [(0.6, 400, 0.8), (0.7, 95, 0.8), (0.9, 20, 0.8)]
)
def test_a_better_model_is_told(rate, votes, power):
    counts = states((1 - rate, 0, rate), people=500, votes=votes, seed=3)
    told = (evidence(counts, 0.5) >= np.log(1 / ALPHA)).any(axis=1)
    assert told.mean() > power


def test_two_votes_for_each_row_averaged_keep_the_promise():
    rng = np.random.default_rng(5)
    taste = rng.beta(2, 2, size=(800, 200))
    votes = rng.random((2, 800, 200)) < taste
    counts = np.cumsum(votes.sum(axis=0)[..., None] == np.arange(3), axis=1)
    assert (evidence(counts, 0.5) >= np.log(1 / ALPHA)).any(axis=1).mean() < ALPHA


def test_capital_of_votes_without_ties_is_the_beta_binomial_mixture():
    # Half of Beta(1, 1) and half of Beta(12, 12): B(a + wins, b + losses) / B(a, b) / likelihood.
    for wins, losses in [(3, 1), (12, 5), (40, 60)]:
        mixed = [betaln(shape + wins, shape + losses) - betaln(shape, shape) for shape in (1, 12)]
        expected = np.logaddexp(*mixed) - np.log(2) - (wins * np.log(0.4) + losses * np.log(0.6))
        given = log_capital(VALUES, np.array([losses, 0, wins]), 0.4)
        assert given == pytest.approx(expected, abs=2e-3)


def test_the_bet_is_fair():
    # The mean of K over what one vote may be is 1, if the mean is m.
    chances = np.array([0.2, 0.3, 0.5])
    capital = np.exp(log_capital(VALUES, np.eye(3), 0.65))
    assert capital @ chances == pytest.approx(1)


def test_ties_tell_more_than_wins_and_losses():
    ties = confidence_sequence(VALUES, np.array([0, 60, 0]))
    split = confidence_sequence(VALUES, np.array([30, 0, 30]))
    assert 0.45 < ties[0] < 0.5 < ties[1] < 0.55
    assert split[0] < 0.4 < 0.6 < split[1]


def test_ends_are_where_the_capital_reaches_its_limit():
    counts = np.array([20, 10, 40])
    low, high = confidence_sequence(VALUES, counts)
    assert low < 45 / 70 < high
    for end in (low, high):
        assert log_capital(VALUES, counts, end) == pytest.approx(np.log(20), abs=1e-6)
    strict = confidence_sequence(VALUES, counts, alpha=0.01)
    assert strict[0] < low < high < strict[1]


def test_sides_are_alike():
    low, high = confidence_sequence(VALUES, np.array([7, 3, 20]))
    other = confidence_sequence(VALUES, np.array([20, 3, 7]))
    assert (1 - other[1], 1 - other[0]) == pytest.approx((low, high))


def test_no_votes_and_only_wins():
    assert confidence_sequence(VALUES, np.zeros(3)) == (0, 1)
    assert confidence_sequence(np.array([]), np.array([])) == (0, 1)
    low, high = confidence_sequence(VALUES, np.array([0, 0, 30]))
    assert high == 1
    assert 0.75 < low < 1
