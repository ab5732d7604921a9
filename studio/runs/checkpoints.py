"""Checkpoints count only when they are complete: a marker is written after everything else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from studio.core.errors import ConflictError, NotFoundError
from studio.core.paths import RunPaths, read_state, write_json

MARKER = "complete.json"
KEPT = (".safetensors", ".json", ".jinja", ".txt", ".model")
STATE = ("trainer_state.json", MARKER)
_NAME = re.compile(r"checkpoint-(\d+)$")


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step of a `checkpoint-N` folder, -1 for another folder."""
    match = _NAME.search(checkpoint.name)
    return int(match.group(1)) if match else -1


def mark_complete(checkpoint: Path) -> None:
    """Declare that every file of `checkpoint` is written."""
    write_json(checkpoint / MARKER, {"step": step_of(checkpoint)})


def complete_checkpoints(paths: RunPaths) -> list[Path]:
    """Complete checkpoints, oldest first."""
    if not paths.checkpoints.is_dir():
        return []
    found = [
        folder
        for folder in paths.checkpoints.iterdir()
        if step_of(folder) >= 0 and (folder / MARKER).is_file()
    ]
    return sorted(found, key=step_of)


def latest_checkpoint(paths: RunPaths) -> Path | None:
    """Return the complete checkpoint with the most steps, if there is one."""
    found = complete_checkpoints(paths)
    return found[-1] if found else None


def prune(paths: RunPaths, keep: int, best: int | None = None) -> None:
    """Delete all but the newest `keep` complete checkpoints, and torn ones older than those.

    Args:
        best: A step whose checkpoint stays whatever its age.
    """
    complete = complete_checkpoints(paths)
    if not complete:
        return
    kept = {*complete[-keep:], *(folder for folder in complete if step_of(folder) == best)}
    newest = step_of(complete[-1])
    for folder in paths.checkpoints.iterdir():
        if folder not in kept and 0 <= step_of(folder) <= newest:
            shutil.rmtree(folder, ignore_errors=True)


def drop_torn(paths: RunPaths) -> None:
    """Delete checkpoints that were never completed, to give back the space they hold."""
    if not paths.checkpoints.is_dir():
        return
    for folder in paths.checkpoints.iterdir():
        if step_of(folder) >= 0 and not (folder / MARKER).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def go_back_to(paths: RunPaths, step: int) -> None:
    """Delete the checkpoints after `step`, newest first, so that the run goes on from there.

    Raises:
        NotFoundError: There is no complete checkpoint of that step.
    """
    _complete_of(paths, step)
    for folder in reversed(complete_checkpoints(paths)):
        if step_of(folder) > step:
            (folder / MARKER).unlink()
            shutil.rmtree(folder, ignore_errors=True)


def _complete_of(paths: RunPaths, step: int) -> Path:
    complete = {step_of(folder): folder for folder in complete_checkpoints(paths)}
    if step not in complete:
        there = ", ".join(map(str, complete)) or "none"
        raise NotFoundError(
            f"Run {paths.run_id} has no complete checkpoint of step {step}.",
            remedy=f"Complete ones are of step: {there}.",
        )
    return complete[step]


def adapter_step(paths: RunPaths) -> int | None:
    """Return the optimizer step that the run's weights are of; None without weights."""
    step = read_state(paths.adapter / MARKER).get("step")
    return step if isinstance(step, int) else None


def take_weights(paths: RunPaths, step: int, base: str) -> None:
    """Make the weights of a complete checkpoint the run's own; what it trains on from stays.

    Raises:
        NotFoundError: There is no complete checkpoint of that step.
        ConflictError: It holds its weights in parts (FSDP, DeepSpeed).
    """
    folder = _complete_of(paths, step)
    files = [path for path in folder.iterdir() if path.suffix in KEPT and path.name not in STATE]
    if not any(path.suffix == ".safetensors" for path in files):
        raise ConflictError(
            f"The checkpoint of step {step} holds its weights in parts.",
            remedy="Resume from it: the run writes them whole when it stops.",
        )
    new = paths.root / "adapter-new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for path in files:
        shutil.copy2(path, new / path.name)
    kind = "adapter" if (new / "adapter_config.json").is_file() else "model"
    write_json(new / MARKER, {"kind": kind, "step": step, "base": base})
    shutil.rmtree(paths.adapter, ignore_errors=True)
    new.rename(paths.adapter)


def has_adapter(paths: RunPaths) -> bool:
    """Return whether the run has left weights that can be chatted with."""
    return (paths.adapter / MARKER).is_file()
