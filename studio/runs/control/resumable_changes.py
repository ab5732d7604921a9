"""What may differ between the first start of a run and its going on, and what may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studio.config import RunConfig
from studio.core.errors import ConfigError, FieldProblem

FREE = (
    "name",
    "adapter.base_is_same",
    "batch.per_device",
    "batch.largest",
    "batch.on_oom",
    "batch.gradient_checkpointing",
    "schedule.epochs",
    "schedule.max_steps",
    "schedule.log_every",
    "schedule.evaluate_every",
    "schedule.save_every",
    "schedule.keep",
    "schedule.early_stopping",
    "speed",
    "launch",
    "probes",
    "report_to",
    "push_to_hub",
)
CLONE = "A resumed run must go on as it began: clone it to train with other settings."


@dataclass(frozen=True)
class ResumeDifference:
    """One setting that is not what it was."""

    field: str
    was: Any
    now: Any

    @property
    def free(self) -> bool:
        """Whether a run may go on with it changed: it alters neither rows, weights nor loss."""
        return any(self.field == name or self.field.startswith(f"{name}.") for name in FREE)


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[ResumeDifference]:
    """Return settings that differ between two dumped run files, by their dotted paths."""
    return list(_walk(was, now, ""))


def _walk(was: Any, now: Any, path: str) -> Iterator[ResumeDifference]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*was, *now)):
            if key in was and key in now:
                yield from _walk(was[key], now[key], f"{path}.{key}".lstrip("."))
    elif was != now:
        yield ResumeDifference(path, was, now)


def ensure_resumable(was: Mapping[str, Any], now: RunConfig) -> None:
    """Refuse to go on with settings that would make it another run.

    Raises:
        ConfigError: With one problem for each setting that must not have changed.
    """
    found = [
        FieldProblem(item.field, f"was {item.was!r} when the run began and is {item.now!r}.", CLONE)
        for item in differences(was, now.model_dump(mode="json"))
        if not item.free
    ]
    if found:
        raise ConfigError(found)
