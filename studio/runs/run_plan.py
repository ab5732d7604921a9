"""What a run will do, found out before it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

GIB = 2**30


@dataclass(frozen=True)
class TowerPlan:
    """One part of the model: modules that get an adapter, parameters that are trained."""

    name: str
    matched: int
    trainable: int
    total: int


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes on each device, part by part.

    Attributes:
        weights: The base model in its precision.
        adapter: Trainable weights beside the base; 0 when every weight is trained.
        gradients, optimizer: Of whatever is trained.
        reference: A second copy of weights for DPO, when it needs one.
        activations: The most that a forward and backward pass of the largest batch adds.
        overhead: The process itself: libraries, device context, buffers, allocator's slack.
    """

    weights: int
    adapter: int
    gradients: int
    optimizer: int
    reference: int
    activations: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """Return the bytes by part, in the order they are declared."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


@dataclass(frozen=True)
class Suggestion:
    """A change of settings and what it would do.

    Attributes:
        changes: Dotted setting → value.
        total: Predicted bytes with it.
    """

    title: str
    effect: str
    changes: dict[str, Any]
    total: int


@dataclass(frozen=True)
class FoundBatch:
    """The largest rows at once that a device has room for; the effective batch stays.

    Attributes:
        per_device: Rows at once; a divisor of `total`.
        total: The effective batch, as the run file has it.
        accumulation: Passes per optimizer step on each device.
        planned: Bytes the plan gives this size.
        device_memory: Bytes the device has.
        fits: Whether `planned` is within them; even one row may not be.
        larger, larger_planned: The next larger size that was looked at; None when there is none.
        measured, seconds_per_step: From a dry step, when one was asked for.
        tried: Sizes whose dry step ran out of memory, largest first.
    """

    per_device: int
    total: int
    accumulation: int
    planned: int
    device_memory: int
    fits: bool
    larger: int | None = None
    larger_planned: int | None = None
    measured: int | None = None
    seconds_per_step: float | None = None
    tried: list[int] = field(default_factory=list)

    @property
    def changes(self) -> dict[str, Any]:
        """Dotted setting → value, as `Suggestion.changes` has them."""
        return {"batch.per_device": self.per_device}

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        size = f"{self.per_device} row{'s' if self.per_device > 1 else ''} at once"
        room = f"of {self.device_memory / GIB:.1f} GiB"
        if not self.fits:
            return f"Even {size} needs {(self.measured or self.planned) / GIB:.1f} {room}."
        how = "measured" if self.measured else "planned"
        sentence = (
            f"{size} × {self.accumulation} accumulated = {self.total}: "
            f"{(self.measured or self.planned) / GIB:.1f} {room}, {how}."
        )
        if self.larger and self.larger_planned:
            sentence += f" {self.larger} would need {self.larger_planned / GIB:.1f}."
        return sentence

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FoundBatch:
        """Return what `to_json` made."""
        known = {part.name for part in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True)
class Plan:
    """The run in numbers.

    Attributes:
        towers: Vision, projector, language, head.
        tokens_median, tokens_max: Tokens of a row, image tokens included, over a sample of rows.
        memory: None in plans written by earlier versions.
        device_memory: Bytes the device has.
        seconds_per_step, peak_measured: From a dry step; None without one.
        total_planned: What the total was before a dry step put it right; None without one.
        skipped: One sentence per reason why rows are left out.
        quantization: Of the weights the adapter is trained beside, by the settings or because the
            model came with it; empty in plans of earlier versions.
        scored: How many answers are learned in how many rows; empty in plans of earlier versions.
        fast_path: What work is saved, or why none; empty in plans of earlier versions.
        warnings: Sentences; none of them stops the run.
    """

    trainable_parameters: int
    total_parameters: int
    towers: list[TowerPlan]
    train_rows: int
    evaluation_rows: int
    steps: int
    effective_batch: int
    accumulation: int
    tokens_median: int
    tokens_max: int
    device: str
    dtype: str
    warnings: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    memory: MemoryPlan | None = None
    device_memory: int = 0
    seconds_per_step: float | None = None
    peak_measured: int | None = None
    total_planned: int | None = None
    suggestions: list[Suggestion] = field(default_factory=list)
    fast_path: str = ""
    quantization: str = ""
    scored: str = ""

    @property
    def counted(self) -> MemoryPlan:
        """Its memory. Raises ValueError where that was not counted."""
        if self.memory is None:
            raise ValueError("The memory of this plan was not counted.")
        return self.memory

    @property
    def fits(self) -> bool:
        """Whether the device has room; True when that is not known."""
        return not self.memory or not self.device_memory or self.memory.total <= self.device_memory

    @property
    def precision(self) -> str:
        """Number format of the weights, and the quantization of those that are not trained."""
        quantized = self.quantization not in ("", "none")
        return f"{self.dtype}, weights in {self.quantization}" if quantized else self.dtype

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with the totals that readers want."""
        values = asdict(self)
        values["modules"] = {
            tower.name: {
                "matched": tower.matched,
                "trainable": tower.trainable,
                "total": tower.total,
            }
            for tower in self.towers
        }
        values["tokens_per_sample"] = self.tokens_median
        values["fits"] = self.fits
        if self.memory:
            values["memory"]["total"] = self.memory.total
        seconds = self.seconds_per_step
        values["seconds"] = None if seconds is None else seconds * self.steps
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """Return the plan of `to_json`; what later versions add is left out."""
        known = {part.name for part in fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        values["towers"] = [TowerPlan(**tower) for tower in values["towers"]]
        values["suggestions"] = [Suggestion(**item) for item in values.get("suggestions", [])]
        if values.get("memory"):
            parts = {part.name for part in fields(MemoryPlan)}
            memory = {name: size for name, size in values["memory"].items() if name in parts}
            values["memory"] = MemoryPlan(**memory)
        return cls(**values)
