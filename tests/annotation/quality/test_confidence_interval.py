"""Shares with their interval."""

from __future__ import annotations

import pytest

from studio.annotation.quality.confidence_interval import share


def test_wilson_s_interval():
    # Newcombe (1998), table I, method 3: 81 of 263 and 15 of 148.
    found = share(81, 263, "")
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=0.0001)
    found = share(15, 148, "")
    assert (found.low, found.high) == pytest.approx((0.0624, 0.1605), abs=0.0001)
    assert share(0, 0, "nothing yet").why == "nothing yet"
