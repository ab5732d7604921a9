import numpy as np
import pytest
from scipy.stats import binomtest

from studio.core.errors import InputError
from studio.evaluation.paired_tests import (
    PairedFigure,
    mcnemar,
    metric_figure,
    paired_figure,
    randomisation_p,
)
from studio.metrics.metric import RowScores, mean_of_sums
from studio.metrics.metric_table import METRICS


def scored(name, scores):
    counts = np.array([(np.nan, np.nan) if s is None else (s, 1.0) for s in scores], dtype=float)
    return RowScores(METRICS[name], tuple(scores), counts.reshape(-1, 2))


def compared(name, first, second, clusters=None, **settings):
    clusters = np.arange(len(first)) if clusters is None else np.asarray(clusters)
    return paired_figure(scored(name, first), scored(name, second), clusters, **settings)


@pytest.mark.parametrize(("fixed", "broken"), [(5, 0), (6, 0), (7, 2), (12, 5), (1, 1), (0, 9)])
def test_few_rows_have_the_exact_p_of_mcnemar(fixed, broken):
    differences = np.array([1] * fixed + [-1] * broken + [0] * 30)
    expected = binomtest(fixed, fixed + broken).pvalue
    assert mcnemar(differences) == pytest.approx(expected)


def test_many_rows_have_the_mid_p():
    # Fagerland, Lydersen and Laake 2013: exact p less half the chance of what was seen, both sides.
    differences = np.array([1] * 40 + [-1] * 20)
    at_least = binomtest(40, 60).pvalue
    more = binomtest(41, 60).pvalue
    assert mcnemar(differences) == pytest.approx((at_least + more) / 2)


def test_the_example_of_fagerland_lydersen_and_laake():
    # Their table 2 (Bentur et al. 2009): 1 and 7 of 21 differ; exact p 0.070.
    assert mcnemar(np.array([1] * 7 + [-1])) == pytest.approx(0.0703, abs=1e-4)


def test_rows_of_one_image_change_together():
    # Three images with two fixed rows each are three coins, not six.
    assert mcnemar(np.array([2, 2, 2])) == pytest.approx(2 / 8)
    assert mcnemar(np.array([3, -1])) == pytest.approx(1.0)
    assert mcnemar(np.array([0, 0])) == 1


def test_randomisation_of_few_images_tries_every_exchange():
    first, second = np.array([[0.0, 1]] * 5), np.array([[1.0, 1], [2, 1], [1, 1], [3, 1], [1, 1]])
    assert randomisation_p(first, second, mean_of_sums) == pytest.approx(2 / 32)


def test_randomisation_of_many_images_agrees_with_the_test_of_signs():
    rng = np.random.default_rng(0)
    steps = rng.choice([1.0, -1.0], 60, p=[0.64, 0.36])
    first = np.stack([np.zeros(60), np.ones(60)], axis=1)
    second = np.stack([steps, np.ones(60)], axis=1)
    exact = binomtest(int((steps > 0).sum()), 60).pvalue
    p = randomisation_p(first, second, mean_of_sums, flips=20_000)
    assert p == pytest.approx(exact, abs=0.01)
    assert 0.01 < exact < 0.5


def test_randomisation_is_never_zero_and_one_for_equal_models():
    sums = np.ones((40, 2))
    assert randomisation_p(sums, sums, mean_of_sums) == 1
    better = sums + np.array([1.0, 0.0])
    assert randomisation_p(sums, better, mean_of_sums, flips=99) == pytest.approx(1 / 100)


def test_a_clear_gain_is_better():
    paired = compared("exact_match", [0.0] * 50, [0.0] * 10 + [1.0] * 40)
    assert paired.difference == 0.8
    assert paired.verdict == "better"
    assert 0.6 < paired.low < 0.8 < paired.high < 0.95
    assert paired.p < 1e-6
    assert paired.rows == 50
    assert paired.rows_needed < 50


def test_a_clear_loss_is_worse_and_fewer_evasions_are_better():
    first, second = [1.0] * 40, [0.0] * 30 + [1.0] * 10
    assert compared("exact_match", first, second).verdict == "worse"
    assert compared("evasive_rate", first, second).verdict == "better"
    assert compared("words", first, second).verdict == "lower"
    assert compared("words", second, first).verdict == "higher"


def test_noise_cannot_tell_and_says_how_many_rows_would():
    rng = np.random.default_rng(2)
    first = (rng.random(200) < 0.5).astype(float)
    second = np.where(rng.random(200) < 0.1, 1 - first, first)
    paired = compared("exact_match", list(first), list(second))
    assert paired.verdict == "cannot tell"
    assert paired.low < 0 < paired.high
    spread = (second - first).std()
    expected = ((1.95996 + 0.84162) * spread / paired.difference) ** 2
    assert paired.rows_needed == pytest.approx(expected, rel=0.1)
    assert paired.rows_needed > 200


def test_as_many_rows_as_needed_tell_four_times_in_five():
    rng = np.random.default_rng(9)
    steps = rng.choice([1.0, 0.0, -1.0], 4000, p=[0.2, 0.7, 0.1])
    needed = compared("anls", [0.0] * 4000, list(steps), resamples=500).rows_needed
    samples = rng.choice([1.0, 0.0, -1.0], (400, needed), p=[0.2, 0.7, 0.1])
    told = np.mean([mcnemar(sample) < 0.05 for sample in samples])
    assert 0.72 < told < 0.9


@pytest.mark.parametrize("name", ["exact_match", "anls"])
def test_five_rows_that_agree_are_too_few(name):
    paired = compared(name, [0.0] * 5, [1.0] * 5)
    assert paired.p == pytest.approx(2 / 32)
    assert paired.verdict == "cannot tell"
    assert paired.rows_needed == 6
    assert compared(name, [0.0] * 6, [1.0] * 6).verdict == "better"


def test_shares_that_all_differ_alike_have_an_interval():
    paired = compared("exact_match", [0.0] * 20, [1.0] * 20)
    assert (paired.difference, paired.high) == (1, 1)
    # Newcombe 1998, method 10: 1 − √2 · (1 − Wilson's lower end of 20 of 20).
    assert paired.low == pytest.approx(1 - 2**0.5 * (1 - 0.8389), abs=1e-3)


def test_equal_models():
    paired = compared("exact_match", [1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (paired.difference, paired.p, paired.verdict) == (0, 1, "cannot tell")
    assert paired.low < 0 < paired.high
    assert paired.rows_needed is None


def test_no_row_and_one_row():
    assert compared("exact_match", [None], [1.0]) == PairedFigure(
        None, None, None, None, "cannot tell", 0, None
    )
    assert compared("anls", [0.25], [0.75]) == PairedFigure(
        0.5, None, None, 1.0, "cannot tell", 1, None
    )


def test_only_rows_scored_for_both_are_compared():
    paired = compared("exact_match", [0.0, None, 0.0, 1.0], [1.0, 1.0, None, 1.0])
    assert (paired.rows, paired.difference) == (2, 0.5)


def test_rows_of_one_image_make_the_comparison_less_sure():
    first, second = [0.0] * 40, [1.0] * 28 + [0.0] * 12
    apart = compared("anls", first, second)
    together = compared("anls", first, second, np.arange(40) // 4)
    assert together.low < apart.low
    assert together.p > apart.p
    assert together.rows_needed > apart.rows_needed


def test_a_corpus_score_is_compared_by_its_sums():
    # F1 of yes: first 2·1/(2·1+1+1) = ½, second 2·2/(2·2) = 1.
    metric = METRICS["yes_f1"]
    first = RowScores(
        metric, (1, 0, 0, 1), np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0.0]])
    )
    second = RowScores(
        metric, (1, 1, 1, 1), np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0.0]])
    )
    paired = paired_figure(first, second, np.arange(4))
    assert paired.difference == pytest.approx(0.5)
    assert paired.p == pytest.approx(0.5)


def test_different_metrics_or_rows_are_refused():
    with pytest.raises(InputError, match="Exact match of 1 rows with ANLS"):
        paired_figure(scored("exact_match", [1]), scored("anls", [1]), np.arange(1))
    with pytest.raises(InputError, match="Score both models on the same rows"):
        paired_figure(scored("anls", [1]), scored("anls", [1, 1]), np.arange(2))


def test_the_figure_of_a_metric_leaves_out_what_it_does_not_apply_to():
    figure = metric_figure(scored("exact_match", [1.0, None, 0.0, 1.0]), np.arange(4))
    assert (figure.rows, figure.value) == (3, pytest.approx(2 / 3))
    assert figure.low == pytest.approx(binomtest(2, 3).proportion_ci(method="wilson").low)
    lengths = metric_figure(scored("words", [1.0, 2.0, 6.0]), np.arange(3))
    assert lengths.value == 3
    assert lengths.low < 3 < lengths.high


def test_ten_thousand_rows():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 10_000))
    paired = compared("anls", list(first), list(second + 0.05))
    assert paired.difference == pytest.approx(0.05, abs=0.02)
    assert paired.verdict == "better"


def test_equal_models_are_seldom_told_apart():
    rng = np.random.default_rng(0)
    images = np.arange(60) // 3
    told = 0
    for seed in range(200):
        base = rng.random(20)[images]
        first, second = (np.where(rng.random(60) < 0.6, base, rng.random(60)) for _ in range(2))
        paired = compared("anls", list(first), list(second), images, resamples=300, seed=seed)
        told += paired.verdict != "cannot tell"
    assert 0 < told < 0.08 * 200
