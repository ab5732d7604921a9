"""Tokens of all rows, summed up."""

from __future__ import annotations

from studio.preflight.token_summary import histogram


def test_histogram_bins_hold_every_row_once():
    import numpy as np

    totals = np.array([7, 7, 8, 250, 999, 1000])
    bins = histogram(totals)
    assert sum(one.rows for one in bins) == 6
    assert all(one.end - one.start == 50 for one in bins)
    assert bins[0].start <= 7 and bins[-1].end > 1000 and bins[-1].rows
    assert [one.rows for one in histogram(np.array([71] * 5)) if one.rows] == [5]
