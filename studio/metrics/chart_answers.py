"""Relaxed accuracy of ChartQA (Masry et al. 2022, section 5.1; Methani et al. 2020).

The rules are those of the scorer of Pix2Struct, which other evaluations use as well: a number is
right within 5 % of the accepted one, `40%` reads as 0.4, everything else is compared without regard
to case. Beyond it, thousands separators are read, spaces around the answer do not count, and two
zeros are equal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from studio.data.schema import Row

TOLERANCE = 0.05
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")


def relaxed_match(prediction: str, answer: str, tolerance: float = TOLERANCE) -> bool:
    """Return whether a prediction is the answer, a number within `tolerance` of its size."""
    prediction, answer = prediction.strip(), answer.strip()
    if prediction.lower() == answer.lower():
        return True
    given, right = read_number(prediction), read_number(answer)
    if given is None or right is None:
        return False
    # The scorer divides: 0.05 * right would round otherwise and decide other cases at the edge.
    return abs(given - right) / abs(right) <= tolerance if right else given == right


def read_number(text: str) -> float | None:
    """Return the number a text is, a percentage as its hundredth, or None."""
    percent = text.endswith("%")
    digits = text.rstrip("%").strip()
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    try:
        number = float(digits)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return number / 100 if percent else number


def relaxed_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score 1 for an answer that is right by `relaxed_match` with any accepted one, else 0."""
    if not accepted:
        return None
    return float(any(relaxed_match(prediction, answer) for answer in accepted))
