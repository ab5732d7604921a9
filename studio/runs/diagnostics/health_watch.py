"""Signs of a run going wrong, told once each: what `signs` reads off the metrics, with its step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from studio.runs.diagnostics.rules import RULES, WINDOW, MetricHistory
from studio.runs.event_log import Event

MEASURED = ("metrics", "evaluation", "probe_rows", "probe")


@dataclass(frozen=True)
class HealthFinding:
    """One sign.

    Attributes:
        id: Which rule; a run is told each id once.
        step: Optimizer step at which it was first seen; 0 before training.
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
    def of_event(cls, event: Event) -> HealthFinding:
        text = {name: str(event.values.get(name, "")) for name in ("id", "title")}
        more = {name: str(event.values.get(name, "")) for name in ("meaning", "remedy")}
        return cls(step=int(event.values.get("step") or 0), **text, **more)


@dataclass
class HealthWatch(MetricHistory):
    """Takes metrics as they come and says what is new."""

    told: set[str] = field(default_factory=set)

    def replay(self, events: Iterable[Event]) -> None:
        """Take in what happened before a resume, without telling it again.

        Steps after the checkpoint that was gone back to did not happen.
        """
        kept: list[Event] = []
        for event in events:
            if event.type == "finding":
                self.told.add(str(event.values.get("id")))
            elif event.type == "resumed":
                kept = [before for before in kept if _step(before) <= _step(event)]
            elif event.type in MEASURED:
                kept.append(event)
        for event in kept:
            self._take(event.values)

    def see(self, values: dict[str, Any]) -> list[HealthFinding]:
        """Take new metrics, `step` among them; return the findings they give rise to."""
        self._take(values)
        return list(self._new())

    def _take(self, values: dict[str, Any]) -> None:
        self.step = int(values.get("step") or self.step)
        for name, value in values.items():
            if name != "step" and isinstance(value, (int, float)) and value == value:
                self.series.setdefault(name, []).append(float(value))
        losses = self.series.get("loss", [])
        if "loss" in values and losses and len(losses) % WINDOW == 0:
            self.lowest = min(self.lowest, fmean(losses[-WINDOW:]))
        if "eval_loss" in values:
            trained = fmean(self.last("loss")) if self.last("loss") else float("inf")
            self.series.setdefault("loss at evaluation", []).append(trained)

    def _new(self) -> Iterator[HealthFinding]:
        for name, rule in RULES.items():
            if name in self.told:
                continue
            sign = rule(self)
            if sign is not None:
                self.told.add(name)
                yield HealthFinding(name, self.step, *sign)


def _step(event: Event) -> int:
    return int(event.values.get("step") or 0)
