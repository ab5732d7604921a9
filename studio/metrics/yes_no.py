"""Yes or no answers: accuracy, precision, recall, F1 and yes-rate of POPE (Li et al. 2023).

As in POPE's scorer, the first sentence decides: it is a no where it has the word `no` or `not`, and
anything else ("There is a cat.") is a yes. Beyond it, an answer that begins with yes or no is that,
`isn't` is a no, and an empty or an evasive answer is neither: it is never right and counts as no yes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from studio.data.schema import Row
from studio.metrics.evasiveness import is_evasive

YesNo = Literal["yes", "no"]
_WORD = re.compile(r"[\w'’]+")
_YES = frozenset({"yes", "yeah", "yep"})
_NO = frozenset({"no", "not", "nope"})


def yes_or_no(answer: str) -> YesNo | None:
    """Return what an answer to a yes-no question says; None for an empty or an evasive one."""
    words = _WORD.findall(answer.split(".")[0].lower())
    if words and words[0] in _YES:
        return "yes"
    if words and words[0] in _NO:
        return "no"
    if not words or is_evasive(answer):
        return None
    negated = any(word in _NO or word.replace("’", "'").endswith("n't") for word in words)
    return "no" if negated else "yes"


def right_answer(accepted: Sequence[str]) -> YesNo | None:
    """Return yes or no if every accepted answer is that one word, else None."""
    words = {answer.strip().strip(".!").lower() for answer in accepted}
    if words == {"yes"}:
        return "yes"
    return "no" if words == {"no"} else None


def accuracy_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score 1 for the right one of yes and no, else 0."""
    right = right_answer(accepted)
    return None if right is None else float(yes_or_no(prediction) == right)


def yes_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score 1 for a yes to a yes-no question, else 0."""
    return None if right_answer(accepted) is None else float(yes_or_no(prediction) == "yes")


def confusion(prediction: str, accepted: Sequence[str], row: Row) -> tuple[float, ...] | None:
    """Return (true, false positives, false negatives) of one row; `yes` is the positive class.

    No answer at all to a question that has a yes is a false negative, as is a no.
    """
    right = right_answer(accepted)
    if right is None:
        return None
    said = yes_or_no(prediction) == "yes"
    return (
        float(said and right == "yes"),
        float(said and right == "no"),
        float(not said and right == "yes"),
    )


def precision(sums: np.ndarray) -> np.ndarray:
    """Compute TP / (TP + FP) from summed `confusion`; 0 where the model never says yes."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 1])


def recall(sums: np.ndarray) -> np.ndarray:
    """Compute TP / (TP + FN) from summed `confusion`; 0 where no answer is yes."""
    return _ratio(sums[..., 0], sums[..., 0] + sums[..., 2])


def f1(sums: np.ndarray) -> np.ndarray:
    """Compute 2 TP / (2 TP + FP + FN) from summed `confusion`; 0 where nothing is yes."""
    return _ratio(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
