"""Overlap of longer texts: chrF and ROUGE-L, equal to sacrebleu's and rouge-score's.

They are computed here because those libraries give one number for all rows, and an interval needs
what each row adds to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from studio.data.schema import Row

ORDER, BETA = 6, 2
"""Longest n-gram of characters, and the weight of recall: chrF2 of Popović (2015, 2016)."""

_WORDS = re.compile(r"[a-z0-9]+")


def chrf_counts(prediction: str, accepted: Sequence[str], row: Row) -> tuple[float, ...] | None:
    """Return, for each length of n-gram, how many are in the prediction, the answer, and both.

    Of several accepted answers the one with the highest chrF is taken, as by sacrebleu.
    """
    if not accepted:
        return None
    given = _ngrams(prediction)
    counts = [_matches(given, _ngrams(answer)) for answer in accepted]
    scores = chrf(np.array(counts))
    return counts[int(np.argmax(scores))]


def chrf(sums: np.ndarray) -> np.ndarray:
    """Compute chrF2 in [0, 1] from summed `chrf_counts`.

    F of the mean precision and mean recall over the lengths for which both sides have an n-gram.
    """
    given, right, both = np.moveaxis(sums.reshape(*sums.shape[:-1], ORDER, 3), -1, 0)
    used = (given > 0) & (right > 0)
    lengths = np.maximum(used.sum(axis=-1), 1)
    precision = np.divide(both, given, out=np.zeros_like(both), where=used).sum(axis=-1) / lengths
    recall = np.divide(both, right, out=np.zeros_like(both), where=used).sum(axis=-1) / lengths
    weighed = BETA**2 * precision + recall
    f_score = (1 + BETA**2) * precision * recall
    return np.divide(f_score, weighed, out=np.zeros_like(f_score), where=weighed > 0)


def chrf_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score one row's chrF2, the best over its accepted answers."""
    counts = chrf_counts(prediction, accepted, row)
    return None if counts is None else float(chrf(np.array(counts)))


def rouge_l_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score the F of the longest common subsequence of words (Lin 2004), the best over answers.

    Words are runs of letters and digits. Texts in scripts without the Latin alphabet, which
    rouge-score does not read at all, are compared character by character.
    """
    if not accepted:
        return None
    return max(_rouge_l(prediction, answer) for answer in accepted)


def _rouge_l(prediction: str, answer: str) -> float:
    given, right = _tokens(prediction), _tokens(answer)
    common = _common_length(given, right)
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(right)
    return 2 * precision * recall / (precision + recall)


def _tokens(text: str) -> list[str]:
    lowered = text.lower()
    return _WORDS.findall(lowered) or [letter for letter in lowered if letter.isalnum()]


def _common_length(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence, in a bit for each place of `one` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    free = full = (1 << len(one)) - 1
    for word in two:
        shared = free & places.get(word, 0)
        free = (free + shared | free - shared) & full
    return len(one) - free.bit_count()


def _ngrams(text: str) -> list[Counter[str]]:
    letters = "".join(text.split())
    return [
        Counter(letters[place : place + length] for place in range(len(letters) - length + 1))
        for length in range(1, ORDER + 1)
    ]


def _matches(given: list[Counter[str]], right: list[Counter[str]]) -> tuple[float, ...]:
    """Three counts for each length; sacrebleu leaves the prediction out where there is no answer."""
    counts: list[float] = []
    for one, two in zip(given, right, strict=True):
        counts += [one.total() if two else 0, two.total(), (one & two).total()]
    return tuple(map(float, counts))
