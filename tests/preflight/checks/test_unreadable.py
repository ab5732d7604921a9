"""Rows that cannot be read, with their reasons."""

from __future__ import annotations

from studio.preflight.checks.unreadable import Unreadable


def test_unreadable_rows_keep_their_reasons():
    bad = Unreadable()
    bad.add(4, "damaged image: broken data stream.", "image")
    bad.add(2, "there is no image file 'x.png'", "image")
    bad.add(9, "not valid JSON")
    images, others = bad.findings()
    assert images.rows == [2, 4] and images.reasons[4] == "damaged image: broken data stream"
    assert others.rows == [9] and "not valid JSON" in others.message
    assert len(bad) == 3
