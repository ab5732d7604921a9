"""From a base model and a run to what the engine loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import read_state
from studio.runs.checkpoints import MARKER
from studio.runs.store import RunStore


@dataclass(frozen=True)
class Answerer:
    """A base model, and the folder of the adapter on it, if any."""

    model: ModelConfig
    adapter: Path | None = None


def resolve(runs: RunStore, model: ModelConfig, run_id: str = "") -> Answerer:
    """Return what answers for `run_id` on `model`; the base itself for an empty id.

    A run that trained every weight has left a whole model, which then takes the base's place.

    Raises:
        NotFoundError: There is no such run.
        ModelError: It has left no complete weights, or was trained on another base.
    """
    if not run_id:
        return Answerer(model)
    run = runs.get(run_id)
    if not run.has_adapter:
        raise ModelError(
            f"Run {run.config.name} ({run_id}) has left no complete adapter.",
            remedy="Wait for its end, or resume it.",
            field="run",
        )
    base = run.config.model
    if base.id != model.id:
        raise ModelError(
            f"Run {run.config.name} was trained on {base.id}, not on {model.id}.",
            remedy=f"Choose {base.id} as the base model.",
            field="run",
        )
    marker = read_state(run.paths.adapter / MARKER)
    if marker.get("kind") == "model":
        return Answerer(model.model_copy(update={"id": str(run.paths.adapter), "revision": None}))
    return Answerer(model, run.paths.adapter)
