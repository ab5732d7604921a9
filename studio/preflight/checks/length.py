"""Whether length alone tells the chosen answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio.preflight.checks.base import percent
from studio.preflight.report import Finding, LengthBias

ENOUGH_TO_JUDGE = 20
LOPSIDED = 0.65


def length_bias(pairs: Sequence[tuple[int, int]]) -> LengthBias:
    """Return how often the chosen answer is the longer one.

    Args:
        pairs: Tokens of the chosen and of the rejected answer.
    """
    if not pairs:
        return LengthBias()
    longer = sum(chosen > rejected for chosen, rejected in pairs)
    gap = sum(chosen - rejected for chosen, rejected in pairs)
    return LengthBias(len(pairs), round(longer / len(pairs), 4), round(gap / len(pairs), 2))


def length_findings(
    bias: LengthBias, pairs: Sequence[tuple[int, int]], numbers: Sequence[int]
) -> Iterator[Finding]:
    """Yield a warning when length decides too often, either way.

    Args:
        numbers: Of the rows that `pairs` are of.
    """
    if bias.pairs < ENOUGH_TO_JUDGE or bias.chosen_longer is None:
        return
    shorter = sum(chosen < rejected for chosen, rejected in pairs) / bias.pairs
    share, word = max((bias.chosen_longer, "longer"), (shorter, "shorter"))
    side = 1 if word == "longer" else -1
    if share >= LOPSIDED:
        yield Finding(
            "length_bias",
            "warning",
            [
                number
                for number, (chosen, rejected) in zip(numbers, pairs, strict=True)
                if side * (chosen - rejected) > 0
            ],
            f"The chosen answer is the {word} one in {percent(share)} of {bias.pairs:,} pairs "
            f"({bias.mean_gap:+.0f} tokens on average). DPO would learn to answer {word}.",
            f"Bring pairs in which the {'shorter' if word == 'longer' else 'longer'} answer is "
            "better, and watch the answer length while training.",
        )
