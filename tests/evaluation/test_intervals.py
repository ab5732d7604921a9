import math

import numpy as np
import pytest
from scipy.stats import binomtest

from studio.evaluation.intervals import (
    Figure,
    bootstrap,
    cluster_numbers,
    cluster_sums,
    clustered_standard_error,
    combined_figure,
    effective_rows,
    image_clusters,
    percentile_interval,
    share_figure,
    wilson,
)
from studio.metrics.metric import mean_of_sums
from tests.evaluation.row_makers import row_of


def mean_figure(scores, clusters=None, **settings):
    scores = np.asarray(scores, dtype=float)
    clusters = np.arange(len(scores)) if clusters is None else np.asarray(clusters)
    counts = np.stack([scores, np.ones(len(scores))], axis=1)
    return combined_figure(counts, mean_of_sums, clusters, **settings)


@pytest.mark.parametrize(
    ("right", "count"), [(0, 10), (10, 10), (1, 1), (0, 1), (7, 20), (99, 100)]
)
def test_wilson_is_that_of_scipy(right, count):
    theirs = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right, count) == pytest.approx((theirs.low, theirs.high))


def test_wilson_of_a_worked_example_of_newcombe():
    # Newcombe 1998, table I: 81 of 263, Wilson without continuity correction.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_no_row_has_no_figure():
    nothing = np.array([])
    assert share_figure(nothing, nothing) == Figure(None, None, None, 0)
    assert mean_figure([]) == Figure(None, None, None, 0)


def test_one_row_says_nothing_of_others_but_for_a_share():
    assert mean_figure([3]) == Figure(3, None, None, 1)
    figure = share_figure(np.ones(1), np.zeros(1, dtype=int))
    assert (figure.value, figure.high) == (1, 1)
    assert figure.low == pytest.approx(0.2065, abs=1e-4)


def test_equal_rows_have_no_spread_as_a_mean_and_some_as_a_share():
    assert mean_figure([5, 5, 5]) == Figure(5, 5, 5, 3)
    figure = share_figure(np.zeros(10), np.arange(10))
    assert (figure.value, figure.low) == (0, 0)
    assert figure.high == pytest.approx(0.2775, abs=1e-4)


def test_rows_of_one_image_count_as_one_when_they_say_the_same():
    scores = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0], 5)
    images = np.repeat(np.arange(8), 5)
    assert effective_rows(scores, images) < 9
    apart = share_figure(scores, np.arange(40))
    together = share_figure(scores, images)
    assert together.low < apart.low < together.value == apart.value < apart.high < together.high
    assert together.rows == 40


def test_clusters_never_make_a_share_more_exact():
    scores = np.tile([1.0, 0.0], 20)
    assert effective_rows(scores, np.repeat(np.arange(20), 2)) == 40
    assert effective_rows(np.ones(12), np.repeat(np.arange(4), 3)) == 4


def test_clustered_standard_error_is_that_of_lmms_eval():
    scores = np.array([1, 1, 0, 1, 0, 0, 1, 0.5])
    clusters = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    # lmms-eval 0.7.3, clustered_stderr of these.
    assert clustered_standard_error(scores, clusters) == pytest.approx(0.0768875208)
    plain = scores.std(ddof=1) / math.sqrt(8)
    assert clustered_standard_error(scores, np.arange(8)) == pytest.approx(plain)
    assert math.isnan(clustered_standard_error(np.ones(1), np.zeros(1, dtype=int)))


def test_the_bootstrap_is_as_wide_as_the_standard_error_says():
    rng = np.random.default_rng(5)
    images = np.repeat(np.arange(300), 4)
    scores = rng.normal(size=300)[images] + rng.normal(size=1200)
    figure = mean_figure(scores, images, resamples=4000)
    error = clustered_standard_error(scores, images)
    assert figure.high - figure.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    narrow = mean_figure(scores, resamples=4000)
    assert narrow.high - narrow.low < 0.75 * (figure.high - figure.low)


def test_the_same_seed_gives_the_same_interval():
    scores = np.random.default_rng(1).normal(size=50)
    assert mean_figure(scores, seed=4) == mean_figure(scores, seed=4)
    assert mean_figure(scores, seed=4) != mean_figure(scores, seed=5)


def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    sums = np.random.default_rng(1).normal(size=(30, 2))
    whole = bootstrap(sums, mean_of_sums, resamples=64)
    monkeypatch.setattr("studio.evaluation.intervals._CHUNK", 90)
    assert np.array_equal(bootstrap(sums, mean_of_sums, resamples=64), whole)


def test_intervals_of_few_rows_hold_what_they_promise():
    rng = np.random.default_rng(11)
    samples = rng.normal(size=(800, 10))
    figures = [
        mean_figure(sample, resamples=1000, seed=place) for place, sample in enumerate(samples)
    ]
    held = np.mean([figure.low <= 0 <= figure.high for figure in figures])
    assert 0.92 < held <= 0.99


def test_few_clusters_make_a_wider_interval():
    draws = np.linspace(0, 1, 10001)
    assert percentile_interval(draws, 100_000) == pytest.approx((0.025, 0.975), abs=1e-3)
    low, high = percentile_interval(draws, 10)
    assert low < 0.012
    assert high > 0.988


def test_rows_that_share_an_image_are_one_cluster():
    rows = [
        row_of(images=("a",)),
        row_of(images=("b", "c")),
        row_of(),
        row_of(images=("c", "a")),
        row_of(images=("d",)),
        row_of(),
    ]
    assert image_clusters(rows).tolist() == [0, 0, 1, 0, 2, 3]
    assert image_clusters([]).tolist() == []


def test_numbers_and_sums_of_clusters():
    assert cluster_numbers(["x", "y", "x"]).tolist() == [0, 1, 0]
    sums = cluster_sums(np.array([[1, 2], [3, 4], [5, 6]]), np.array([7, 3, 7]))
    assert sums.tolist() == [[3, 4], [6, 8]]
