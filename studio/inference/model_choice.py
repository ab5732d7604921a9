"""From a base model and a run to what the engine loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import read_state
from studio.runs.checkpoints import MARKER, complete_checkpoints, step_of
from studio.runs.run_names import find_run
from studio.runs.store import Run, RunStore


@dataclass(frozen=True)
class Answerer:
    """A base model, and the folder of the adapter on it, if any."""

    model: ModelConfig
    adapter: Path | None = None


def resolve(runs: RunStore, model: ModelConfig, run_id: str = "") -> Answerer:
    """Return what answers for `run_id` on `model`; the base itself for an empty id.

    A run is found by its id, the beginning of it, or its name. `RUN@STEP` is the adapter of a
    complete checkpoint. A run that trained every weight has left a whole model, which then takes the base's place.

    Raises:
        NotFoundError: There is no such run.
        ModelError: It has left no complete weights, or was trained on another base.
    """
    if not run_id:
        return Answerer(model)
    name, _, step = run_id.partition("@")
    run = find_run(runs, name, "run")
    if not step and not run.has_adapter:
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
    if step:
        return Answerer(model, _checkpoint(run, step))
    marker = read_state(run.paths.adapter / MARKER)
    if marker.get("kind") == "model":
        return Answerer(model.model_copy(update={"id": str(run.paths.adapter), "revision": None}))
    return Answerer(model, run.paths.adapter)


def adapter_checkpoints(run: Run) -> list[Path]:
    """Return the complete checkpoints of a run that hold an adapter, oldest first."""
    found = complete_checkpoints(run.paths)
    return [folder for folder in found if (folder / "adapter_config.json").is_file()]


def _checkpoint(run: Run, step: str) -> Path:
    for folder in adapter_checkpoints(run):
        if str(step_of(folder)) == step:
            return folder
    there = ", ".join(str(step_of(folder)) for folder in adapter_checkpoints(run)) or "none"
    raise ModelError(
        f"Run {run.config.name} has no complete checkpoint of step {step[:20]} any more.",
        remedy=f"Choose another; adapters are there of step: {there}.",
        field="run",
    )
