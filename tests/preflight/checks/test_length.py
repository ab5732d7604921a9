"""Whether the longer answer wins."""

from __future__ import annotations

from studio.preflight.checks.length import length_bias, length_findings


def test_length_bias_is_counted_in_tokens_both_ways():
    bias = length_bias([(10, 4), (10, 4), (3, 3), (2, 4)])
    assert (bias.pairs, bias.chosen_longer, bias.mean_gap) == (4, 0.5, 2.5)
    longer = [(9, 4)] * 15 + [(1, 2)] * 5
    (warning,) = length_findings(length_bias(longer), longer, range(len(longer)))
    assert "longer one in 75 %" in warning.message and warning.rows == list(range(15))
    shorter = [(4, 9)] * 20
    (warning,) = length_findings(length_bias(shorter), shorter, range(len(shorter)))
    assert "shorter one in 100 %" in warning.message and "longer answer" in warning.remedy
    assert list(length_findings(length_bias([]), [], [])) == []


def test_length_bias_without_pairs_is_unknown():
    bias = length_bias([])
    assert (bias.chosen_longer, bias.mean_gap) == (None, None)
