"""Defaults and bounds of an export, the same in the form and on the command line."""

from __future__ import annotations

LEAST_VOTES = 1

EVALUATION_SHARE = 0.1
"""Of the images; enough to see a trend, and little of what people answered goes untrained."""

MOST_EVALUATION_SHARE = 0.5
