"""Signs that a run goes wrong, read off its metrics: each is told once, with what to do.

Every rule looks at means over a few recorded points, never at a single one, so that noise is no
news. Thresholds are rules of thumb; the sentence says what was seen, so that one can judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from studio.runs.events import Event

WINDOW = 10
FEW_ROWS = 8
LOG_2 = 0.6931


@dataclass(frozen=True)
class Finding:
    """One sign.

    Attributes:
        id: Which rule; a run is told each id once.
        step: Optimizer step at which it was first seen.
        title: What was seen, in a few words.
        meaning: What it tells.
        remedy: What to do about it.
    """

    id: str
    step: int
    title: str
    meaning: str
    remedy: str

    def to_event(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_event(cls, event: Event) -> Finding:
        text = {name: str(event.values.get(name, "")) for name in ("id", "title")}
        more = {name: str(event.values.get(name, "")) for name in ("meaning", "remedy")}
        return cls(step=int(event.values.get("step") or 0), **text, **more)


Sign = tuple[str, str, str]
Rule = Callable[["HealthWatch"], Sign | None]


@dataclass
class HealthWatch:
    """Takes metrics as they come and says what is new.

    Args:
        method: `sft` or `dpo`.
        batch: Rows per optimizer step.
        total_steps: Planned optimizer steps.
        lowest_loss: Lowest mean over ten recorded losses in a row.
    """

    method: str
    batch: int
    total_steps: int = 0
    step: int = 0
    series: dict[str, list[float]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    lowest_loss: float = float("inf")

    def replay(self, events: Iterable[Event]) -> None:
        """Take in what happened before a resume, without telling it again."""
        for event in events:
            if event.type == "finding":
                self.told.add(str(event.values.get("id")))
            elif event.type in ("metrics", "evaluation", "probe"):
                self._take(event.values)

    def see(self, values: dict[str, Any]) -> list[Finding]:
        """New metrics, `step` among them; the findings they give rise to."""
        self._take(values)
        return list(self._new())

    def last(self, name: str, count: int = WINDOW) -> list[float]:
        """The newest `count` values of a metric."""
        return self.series.get(name, [])[-count:]

    def first(self, name: str, count: int = WINDOW) -> list[float]:
        """The oldest `count` values of a metric."""
        return self.series.get(name, [])[:count]

    def _take(self, values: dict[str, Any]) -> None:
        self.step = int(values.get("step") or self.step)
        for name, value in values.items():
            if name != "step" and isinstance(value, (int, float)) and value == value:
                self.series.setdefault(name, []).append(float(value))
        losses = self.series.get("loss", [])
        if "loss" in values and losses and len(losses) % WINDOW == 0:
            self.lowest_loss = min(self.lowest_loss, fmean(losses[-WINDOW:]))
        if "eval_loss" in values:
            trained = fmean(self.last("loss")) if self.last("loss") else float("inf")
            self.series.setdefault("loss at evaluation", []).append(trained)

    def _new(self) -> Iterator[Finding]:
        for name, rule in RULES.items():
            if name in self.told:
                continue
            sign = rule(self)
            if sign is not None:
                self.told.add(name)
                yield Finding(name, self.step, *sign)


def _overfitting(watch: HealthWatch) -> Sign | None:
    scored, trained = watch.series.get("eval_loss", []), watch.series.get("loss at evaluation", [])
    if len(scored) < 3:
        return None
    best = min(range(len(scored)), key=scored.__getitem__)
    after = scored[best + 1 :]
    if len(after) < 2 or min(after) < 1.01 * scored[best] or trained[-1] >= trained[best]:
        return None
    return (
        f"Overfitting: evaluation loss rose from {scored[best]:.3g} to {scored[-1]:.3g}",
        "The training loss still falls while answers to rows the model has not seen get worse: "
        "it learns the rows by heart.",
        "Stop and go back to the checkpoint nearest the lowest evaluation loss; train for fewer "
        "epochs, with more rows, a lower rank or some dropout. schedule.early_stopping does it.",
    )


def _gap(watch: HealthWatch) -> Sign | None:
    scored, trained = watch.last("eval_loss", 4), watch.last("loss at evaluation", 4)
    if len(scored) < 4:
        return None
    gaps = [evaluation - loss for evaluation, loss in zip(scored, trained, strict=True)]
    growing = all(later > earlier for earlier, later in pairwise(gaps))
    if not growing or gaps[-1] < 0.5 * max(trained[-1], 0.05):
        return None
    return (
        f"The gap between training and evaluation grows: {gaps[0]:.3g} to {gaps[-1]:.3g}",
        "The model gets better at the training rows faster than at others.",
        "Watch the evaluation loss; when it turns, stop. More varied rows help most.",
    )


def _divergence(watch: HealthWatch) -> Sign | None:
    losses = watch.series.get("loss", [])
    if len(losses) < 2 * WINDOW:
        return None
    now, best = fmean(losses[-WINDOW:]), watch.lowest_loss
    if now < 2 * best or now < best + 0.2:
        return None
    return (
        f"Divergence: the loss climbed from {best:.3g} to {now:.3g}",
        "Updates are too large, and what was learned is being lost.",
        "Stop, go back to an earlier checkpoint and lower the learning rate (a third of it), or "
        "clip gradients lower (optimizer.max_grad_norm 0.3).",
    )


def _chosen_falls(watch: HealthWatch) -> Sign | None:
    before, now = watch.first("logps/chosen"), watch.last("logps/chosen")
    if watch.method != "dpo" or len(watch.series.get("logps/chosen", [])) < 2 * WINDOW:
        return None
    rewards = watch.last("rewards/chosen")
    fell = fmean(before) - fmean(now)
    if fell < max(2.0, 0.05 * abs(fmean(before))) or (rewards and fmean(rewards) > 0):
        return None
    return (
        f"Chosen answers became less likely: log-probability down by {fell:.1f}",
        "DPO widens the difference by pushing both answers down, the chosen one too; the model may "
        "end up saying neither.",
        "Mix in the SFT loss (dpo.losses: {sigmoid: 1.0, sft: 0.5}), lower the learning rate, or "
        "raise dpo.beta.",
    )


def _margins(watch: HealthWatch) -> Sign | None:
    margins, right = watch.last("rewards/margins"), watch.last("rewards/accuracies")
    if len(margins) < WINDOW or len(right) < WINDOW:
        return None
    if fmean(margins) < 5 or fmean(right) < 0.95:
        return None
    return (
        f"Margins explode: {fmean(margins):.1f} with an accuracy of {fmean(right):.0%}",
        "Nearly all pairs are won already, yet their difference keeps growing: the model moves "
        "away from its reference without learning more.",
        "Stop here or earlier; raise dpo.beta, lower the learning rate, or use the ipo loss.",
    )


def _saturated(watch: HealthWatch) -> Sign | None:
    right = watch.last("rewards/accuracies", 2 * WINDOW)
    if len(right) < 2 * WINDOW or min(right) < 0.99:
        return None
    if watch.total_steps and watch.step > 0.5 * watch.total_steps:
        return None
    return (
        "Accuracy is at 100 % before half of the run",
        "The pairs are easy to tell apart, often by length or style rather than by what is right.",
        "Look at a few pairs in Data; train shorter, or bring harder pairs.",
    )


def _few_rows(watch: HealthWatch) -> Sign | None:
    if watch.method != "dpo" or watch.batch >= FEW_ROWS or not watch.last("rewards/accuracies"):
        return None
    return (
        f"Accuracy per step is over {watch.batch} row{'s' * (watch.batch != 1)} only",
        f"It can only be one of {watch.batch + 1} values, so a single step tells nothing.",
        "Read the smoothed curve or the evaluation; a larger batch.total makes each step tell more.",
    )


def _too_low(watch: HealthWatch) -> Sign | None:
    losses = watch.series.get("loss", [])
    if len(losses) < 3 * WINDOW:
        return None
    before, now = fmean(losses[:WINDOW]), fmean(losses[-WINDOW:])
    margins = watch.last("rewards/margins")
    still = abs(before - now) < 0.01 * abs(before)
    if watch.method == "dpo":
        still = abs(now - LOG_2) < 0.005 and (not margins or abs(fmean(margins)) < 0.01)
    if not still or before < 0.05:
        return None
    return (
        f"Hardly anything is learned: the loss went from {before:.4g} to {now:.4g}",
        "The learning rate is probably too low, or too few weights are trained.",
        "Raise the learning rate three- to tenfold (LoRA: 1e-4 to 2e-4 for SFT, 5e-6 to 1e-5 for "
        "DPO of large models), or the rank.",
    )


def _too_high(watch: HealthWatch) -> Sign | None:
    norms = watch.last("grad_norm", 3 * WINDOW)
    if len(norms) < 2 * WINDOW:
        return None
    usual = median(norms)
    spikes = sum(norm > 8 * usual for norm in norms)
    if spikes < 3 or not usual:
        return None
    return (
        f"Gradients jump: {spikes} of the last {len(norms)} were over 8 times the usual {usual:.2g}",
        "A sign of a learning rate that is too high, or of rows that do not belong.",
        "Lower the learning rate or optimizer.max_grad_norm; check the data for odd rows.",
    )


def _drift(watch: HealthWatch) -> Sign | None:
    drifts = watch.last("drift")
    if len(drifts) < WINDOW or fmean(drifts) < 20:
        return None
    return (
        f"Far from the reference: {fmean(drifts):.0f} nats per answer",
        "Both answers have become far less likely than under the model it started from.",
        "Raise dpo.beta, lower the learning rate, or stop earlier.",
    )


def _longer(watch: HealthWatch) -> Sign | None:
    lengths, base = watch.last("answer_tokens", 2), watch.series.get("base_answer_tokens", [])
    if len(lengths) < 2 or not base or min(lengths) < 1.5 * max(base[0], 4):
        return None
    return (
        f"Answers get longer: {lengths[-1]:.0f} tokens, {base[0]:.0f} before training",
        "DPO likes length when the chosen answers are longer; longer is not better.",
        "Compare the probes. Check the length bias in Data's Check, and balance the pairs.",
    )


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
