"""What a run will do, found out before it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class TowerPlan:
    """One part of the model: modules that get an adapter, parameters that are trained."""

    name: str
    matched: int
    trainable: int
    total: int


@dataclass(frozen=True)
class Plan:
    """The run in numbers.

    Attributes:
        towers: Vision, projector, language, head.
        tokens_median, tokens_max: Tokens of a row, image tokens included, over a sample of rows.
        skipped: One sentence per reason why rows are left out.
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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        towers = [TowerPlan(**tower) for tower in values["towers"]]
        return cls(**{**values, "towers": towers})
