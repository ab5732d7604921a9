"""How many rows a step has, how many at once, and what saves memory meanwhile."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from studio.config.setting import Section, setting


class BatchConfig(Section):
    """Batch sizes. Accumulation is derived from the two and always kept."""

    per_device: int = setting(
        4,
        "Rows at once",
        "Rows in memory at a time on each device. Lower it when memory is short.",
        effect="Activations grow with it; larger is faster on a GPU. The result stays the same.",
        trl="per_device_train_batch_size",
        level="basic",
        ge=1,
        le=4096,
    )
    total: int = setting(
        16,
        "Effective batch",
        "Rows per optimizer step. Reached by gradient accumulation, so it must be a multiple of rows at once.",
        effect="Quality: larger is steadier, with fewer steps. Memory stays.",
        trl="per_device_train_batch_size × gradient_accumulation_steps",
        level="basic",
        ge=1,
        le=65536,
    )
    largest: bool = setting(
        False,
        "Start with the largest batch",
        "When the run starts, rows at once are set to the most that its plan has room for; the effective batch stays.",
        effect="Time: fewer passes a step. Memory: up to what the device has.",
        trl="auto_find_batch_size",
    )
    on_oom: Literal["shrink", "fail"] = setting(
        "shrink",
        "When memory runs out",
        "Shrink: halve the rows at once, keep the effective batch and go on. Fail: stop with an explanation.",
        effect="Time of a restart from the last complete step.",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Gradient checkpointing",
        "Recompute activations in the backward pass: about a third slower, far less memory.",
        effect="Activations shrink to one layer's and the layers' inputs; a third slower.",
        trl="gradient_checkpointing",
        level="basic",
    )

    @model_validator(mode="after")
    def _total_is_a_multiple(self) -> BatchConfig:
        if self.total % self.per_device:
            raise ValueError(
                f"total={self.total} is not a multiple of per_device={self.per_device}. "
                f"Set batch.total to {-(-self.total // self.per_device) * self.per_device} "
                "or choose batch.per_device to divide it."
            )
        return self
