"""Bounds of the team's figures."""

from __future__ import annotations

LEAST_COMMON_PAIRS = 10
"""Fewer common pairs say nothing of two people: one answer apart is then a κ of 0 or below."""
