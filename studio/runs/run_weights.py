"""The weights of a run by what people write: `RUN`, or `RUN@STEP` for a checkpoint of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import InputError, ModelError, NotFoundError
from studio.core.paths import read_state
from studio.runs import checkpoints
from studio.runs.run_names import find_run
from studio.runs.store import Run, RunStore

ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class RunWeights:
    """Trained weights on disk.

    Attributes:
        folder: Where they are.
        step: The optimizer step that they are of; None where it is not known.
    """

    run: Run
    folder: Path
    step: int | None

    @property
    def name(self) -> str:
        """`RUN@STEP`."""
        return self.run.run_id if self.step is None else f"{self.run.run_id}@{self.step}"

    @property
    def is_adapter(self) -> bool:
        """Whether they lie on a base model; otherwise every weight was trained."""
        return (self.folder / ADAPTER_CONFIG).is_file()


def find_weights(store: RunStore, name: str, field: str = "run") -> RunWeights:
    """Return the weights that `RUN` or `RUN@STEP` names; RUN is an id, its beginning or a name.

    Raises:
        NotFoundError: There is no such run, or no complete checkpoint of that step.
        InputError: Several runs could be meant, or the step is no number.
        ModelError: The run has left no complete weights.
    """
    run_name, separator, step = name.rpartition("@")
    run = find_run(store, run_name if separator else name, field)
    if separator:
        return _checkpoint(run, step, field)
    if not run.has_adapter:
        raise ModelError(
            f"Run {run.run_id} has left no complete weights.",
            remedy=f"Wait for its end, or resume it. {_there(run)}".strip(),
            field=field,
        )
    return RunWeights(run, run.paths.adapter, checkpoints.adapter_step(run.paths))


def _checkpoint(run: Run, step: str, field: str) -> RunWeights:
    if not step.isdecimal():
        raise InputError(
            f"{step[:40]!r} is no step.",
            remedy="Write RUN@STEP, for example my-run@50.",
            field=field,
        )
    if run.has_adapter and checkpoints.adapter_step(run.paths) == int(step):
        return RunWeights(run, run.paths.adapter, int(step))
    for folder in checkpoints.complete_checkpoints(run.paths):
        if checkpoints.step_of(folder) == int(step):
            return RunWeights(run, folder, int(step))
    raise NotFoundError(
        f"Run {run.run_id} has no complete checkpoint of step {step[:20]}.",
        remedy=_there(run) or "It has no complete checkpoint at all.",
        field=field,
    )


def _there(run: Run) -> str:
    steps = {checkpoints.step_of(one) for one in checkpoints.complete_checkpoints(run.paths)}
    base = read_state(run.paths.adapter / checkpoints.MARKER).get("step")
    if isinstance(base, int):
        steps.add(base)
    if not steps:
        return ""
    return f"Complete ones are of step {', '.join(map(str, sorted(steps)))}: write RUN@STEP."
