"""What to read off a run's metrics, rule by rule: signs of trouble, their meaning, what to do.

Thresholds are rules of thumb, but noise is no news: a rule looks at means over several recorded
points, never at one, and stays silent where the difference is one that chance or rounding makes.
The sentence says what was seen, so that one can judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, median

WINDOW = 10
LONGEST_WINDOW = 400
FEW_ROWS = 8
LOG_2 = 0.6931
# Nats a token. A loss that rises by less leaves what was likely as likely, to one percent.
TINY = 0.01
# Nats an answer. e^-0.1: the known answer to an unrelated question is a tenth less likely.
FORGOTTEN = 0.1
FORGOTTEN_SHARE = 0.1
# All right in so many pairs: at a true accuracy of 97 % that happens less than once in a hundred.
ENOUGH_PAIRS = 160
# Standard errors between two means; one of them is the best of many, so two are not enough.
CLEAR = 5.0

Sign = tuple[str, str, str]
Rule = Callable[["MetricHistory"], Sign | None]


@dataclass
class MetricHistory:
    """The metrics of a run so far.

    Attributes:
        method: `sft` or `dpo`.
        batch: Rows per optimizer step.
        total_steps: Planned optimizer steps.
        beta: DPO's β; with it rewards are log-probability ratios of the very same rows.
        lowest: Lowest mean over ten recorded losses in a row.
    """

    method: str
    batch: int
    total_steps: int = 0
    beta: float | None = None
    step: int = 0
    series: dict[str, list[float]] = field(default_factory=dict)
    lowest: float = math.inf

    def last(self, name: str, count: int = WINDOW) -> list[float]:
        """Return the newest `count` values of a metric."""
        return self.series.get(name, [])[-count:]

    def first(self, name: str, count: int = WINDOW) -> list[float]:
        """Return the oldest `count` values of a metric."""
        return self.series.get(name, [])[:count]

    def share(self) -> float:
        """Return how much of the run is done, 0 to 1; 1 when its length is not known."""
        return self.step / self.total_steps if self.total_steps else 1.0


def forgetting(before: float, after: float) -> Sign | None:
    """Return whether unrelated answers became clearly less likely.

    Args:
        before, after: Mean loss in nats an answer.
    """
    rise = after - before
    if rise < FORGOTTEN or rise < FORGOTTEN_SHARE * before:
        return None
    return (
        f"Forgetting: loss on unrelated questions rose from {before:.3g} to {after:.3g} nats an "
        "answer",
        f"The right answers to questions that this run did not train became {math.exp(rise):.2g} "
        "times less likely.",
        "Train shorter, with a lower learning rate or rank, or mix in general rows.",
    )


def _overfitting(seen: MetricHistory) -> Sign | None:
    scored, trained = seen.series.get("eval_loss", []), seen.series.get("loss at evaluation", [])
    if len(scored) < 3:
        return None
    best = min(range(len(scored)), key=scored.__getitem__)
    after = scored[best + 1 :]
    turned = scored[best] + max(TINY, 0.01 * scored[best])
    if len(after) < 2 or min(after) < turned or trained[-1] >= trained[best]:
        return None
    return (
        f"Overfitting: evaluation loss rose from {scored[best]:.3g} to {scored[-1]:.3g}",
        "The training loss still falls while answers to rows the model has not seen get worse: "
        "it learns the rows by heart.",
        "Stop and go back to the checkpoint nearest the lowest evaluation loss; train for fewer "
        "epochs, with more rows, a lower rank or some dropout. schedule.early_stopping does it.",
    )


def _gap(seen: MetricHistory) -> Sign | None:
    scored, trained = seen.last("eval_loss", 4), seen.last("loss at evaluation", 4)
    if len(scored) < 4:
        return None
    gaps = [evaluation - loss for evaluation, loss in zip(scored, trained, strict=True)]
    if gaps[0] <= 0:  # the mean of training lags behind while the loss falls fast
        return None
    growing = all(later > earlier for earlier, later in pairwise(gaps))
    by_chance = _clear(seen.series.get("loss", []))
    grown = gaps[-1] - gaps[0] >= max(2 * TINY, 0.25 * gaps[-1], by_chance)
    if not (growing and grown) or gaps[-1] < 0.5 * max(trained[-1], 0.05):
        return None
    return (
        f"The gap between training and evaluation grows: {gaps[0]:.3g} to {gaps[-1]:.3g}",
        "The model gets better at the training rows faster than at others.",
        "Watch the evaluation loss; when it turns, stop. More varied rows help most.",
    )


def _divergence(seen: MetricHistory) -> Sign | None:
    losses, low = seen.series.get("loss", []), seen.lowest
    if len(losses) < 2 * WINDOW:
        return None
    level = fmean(losses[-WINDOW:])
    if level < 2 * low or level < low + 0.2 or level - low < _clear(losses):
        return None
    return (
        f"Divergence: the loss climbed from {low:.3g} to {level:.3g}",
        "Updates are too large, and what was learned is being lost.",
        "Stop, go back to an earlier checkpoint and lower the learning rate (a third of it), or "
        "clip gradients lower (optimizer.max_grad_norm 0.3).",
    )


def _chosen_falls(seen: MetricHistory) -> Sign | None:
    before = seen.first("logps/chosen")
    if seen.method != "dpo" or len(seen.series.get("logps/chosen", [])) < 2 * WINDOW:
        return None
    fell = _fall_of_chosen(seen)
    if fell < max(2.0, 0.05 * abs(fmean(before))):
        return None
    return (
        f"Chosen answers became less likely: log-probability down by {fell:.1f}",
        "DPO widens the difference by pushing both answers down, the chosen one too; the model may "
        "end up saying neither.",
        "Mix in the SFT loss (dpo.losses: {sigmoid: 1.0, sft: 0.5}), lower the learning rate, or "
        "raise dpo.beta.",
    )


def _fall_of_chosen(seen: MetricHistory) -> float:
    """Nats an answer since the reference; 0 where it cannot be told from the choice of rows."""
    rewards = seen.last("rewards/chosen")
    if rewards and seen.beta:
        return -fmean(rewards) / seen.beta
    fell = fmean(seen.first("logps/chosen")) - fmean(seen.last("logps/chosen"))
    if (rewards and fmean(rewards) > 0) or fell < _clear(seen.series["logps/chosen"]):
        return 0.0
    return fell


def _margins(seen: MetricHistory) -> Sign | None:
    margins, right = seen.last("rewards/margins", 2 * WINDOW), seen.last("rewards/accuracies")
    if len(margins) < 2 * WINDOW or len(right) < WINDOW:
        return None
    before, now = fmean(margins[:WINDOW]), fmean(margins[WINDOW:])
    if now < 5 or now < 1.05 * before or fmean(right) < 0.95:
        return None
    return (
        f"Margins explode: {now:.1f} with an accuracy of {fmean(right):.0%}",
        "Nearly all pairs are won already, yet their difference keeps growing: the model moves "
        "away from its reference without learning more.",
        "Stop here or earlier; raise dpo.beta, lower the learning rate, or use the ipo loss.",
    )


def _saturated(seen: MetricHistory) -> Sign | None:
    points = max(2 * WINDOW, math.ceil(ENOUGH_PAIRS / max(1, seen.batch)))
    right = seen.last("rewards/accuracies", points)
    if len(right) < points or min(right) < 0.99:
        return None
    if seen.total_steps and seen.share() > 0.5:
        return None
    return (
        "Accuracy is at 100 % before half of the run",
        "The pairs are easy to tell apart, often by length or style rather than by what is right.",
        "Look at a few pairs in Data; train shorter, or bring harder pairs.",
    )


def _few_rows(seen: MetricHistory) -> Sign | None:
    if seen.method != "dpo" or seen.batch >= FEW_ROWS or not seen.last("rewards/accuracies"):
        return None
    return (
        f"Accuracy per step is over {seen.batch} row{'s' * (seen.batch != 1)} only",
        f"It can only be one of {seen.batch + 1} values, so a single step tells nothing.",
        "Read the smoothed curve or the evaluation; a larger batch.total makes each step tell more.",
    )


def _too_low(seen: MetricHistory) -> Sign | None:
    losses = seen.series.get("loss", [])
    if len(losses) < 3 * WINDOW or seen.share() < 0.25:
        return None
    width = min(len(losses) // 3, LONGEST_WINDOW)
    first, latest = losses[:width], losses[-width:]
    before, now = fmean(first), fmean(latest)
    margins = seen.last("rewards/margins")
    still = abs(before - now) < 0.01 * before and _error(first, latest) < 0.02 * before
    if seen.method == "dpo":
        still = abs(now - LOG_2) < 0.005 and (not margins or abs(fmean(margins)) < 0.01)
    if not still or before < 0.05:
        return None
    return (
        f"Hardly anything is learned: the loss went from {before:.4g} to {now:.4g}",
        "The learning rate is probably too low, or too few weights are trained.",
        "Raise the learning rate three- to tenfold (LoRA: 1e-4 to 2e-4 for SFT, 5e-6 to 1e-5 for "
        "DPO of large models), or the rank.",
    )


def _too_high(seen: MetricHistory) -> Sign | None:
    norms = seen.last("grad_norm", 3 * WINDOW)
    if len(norms) < 2 * WINDOW:
        return None
    usual, began = median(norms), median(seen.first("grad_norm"))
    # Gradients shrink as rows are learned; beside those, the few of rows not known yet look large.
    spikes = sum(norm > 8 * usual and norm > began for norm in norms)
    if spikes < 3 or not usual:
        return None
    return (
        f"Gradients jump: {spikes} of the last {len(norms)} were over 8 times the usual {usual:.2g}",
        "A sign of a learning rate that is too high, or of rows that do not belong.",
        "Lower the learning rate or optimizer.max_grad_norm; check the data for odd rows.",
    )


def _drift(seen: MetricHistory) -> Sign | None:
    drifts, answers = seen.last("drift"), seen.first("logps/chosen")
    usual = abs(fmean(answers)) if answers else 0.0
    if len(drifts) < WINDOW or fmean(drifts) < max(20.0, 0.2 * usual):
        return None
    return (
        f"Far from the reference: {fmean(drifts):.0f} nats per answer",
        "Both answers have become far less likely than under the model it started from.",
        "Raise dpo.beta, lower the learning rate, or stop earlier.",
    )


def _longer(seen: MetricHistory) -> Sign | None:
    lengths, base = seen.last("answer_tokens", 2), seen.series.get("base_answer_tokens", [])
    if seen.method != "dpo" or len(lengths) < 2 or not base:
        return None
    if min(lengths) < 1.5 * max(base[0], 4):
        return None
    return (
        f"Answers get longer: {lengths[-1]:.0f} tokens, {base[0]:.0f} before training",
        "DPO likes length when the chosen answers are longer; longer is not better.",
        "Compare the probes. Check the length bias in Data's Check, and balance the pairs.",
    )


def _clear(values: Sequence[float]) -> float:
    """How far apart two means over ten of `values` must be to be no chance.

    The noise is read off neighbours, which a trend sets apart by little (von Neumann 1941).
    """
    pairs = list(pairwise(values[-LONGEST_WINDOW:]))
    if not pairs:
        return math.inf
    noise = math.sqrt(sum((later - earlier) ** 2 for earlier, later in pairs) / (2 * len(pairs)))
    return CLEAR * noise * math.sqrt(2 / WINDOW)


def _error(these: Sequence[float], those: Sequence[float]) -> float:
    """Standard error of the difference of two means (Welch 1947)."""
    return math.sqrt(sum(_variance(part) / len(part) for part in (these, those)))


def _variance(values: Sequence[float]) -> float:
    middle = fmean(values)
    return sum((value - middle) ** 2 for value in values) / max(1, len(values) - 1)


RULES: dict[str, Rule] = {
    "few-rows": _few_rows,
    "overfitting": _overfitting,
    "gap": _gap,
    "divergence": _divergence,
    "chosen-falls": _chosen_falls,
    "margins": _margins,
    "saturated": _saturated,
    "rate-too-low": _too_low,
    "rate-too-high": _too_high,
    "drift": _drift,
    "longer-answers": _longer,
}
