"""Which models an evaluation asks: the base, a run, a checkpoint, an adapter folder, an endpoint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from studio.config.model import ModelConfig
from studio.core.errors import ConflictError, InputError, ModelError, NotFoundError
from studio.core.paths import RunPaths, can_be_path, read_state
from studio.models.endpoint import Endpoint
from studio.runs import checkpoints
from studio.runs.run_names import find_run
from studio.runs.store import Run, RunStore

BASE = "base"
FIELD = "adapter"
ENDPOINT = "endpoint:"
"""`endpoint:URL#MODEL`: a model that answers over HTTP."""


@dataclass(frozen=True)
class EvaluatedModel:
    """Who answers.

    Attributes:
        name: What results are called by; different for each model of an evaluation.
        model: Id of the base model, or folder of a model of which every weight was trained, or
            `endpoint:URL#MODEL`.
        adapter: Folder of the adapter; empty for a whole model.
        run, step: The run and the step that the weights are of; empty and None for others.
        same_base: The user says that the base which the adapter names is this one.
        stamp: Changes when the weights are replaced; empty for a base.
        key_from: Of an endpoint: name of the environment variable with its key.
        picture: What it sees of an image: empty for all, `none`, or `spoilt`.
    """

    name: str
    model: str
    adapter: str = ""
    run: str = ""
    step: int | None = None
    same_base: bool = False
    stamp: str = ""
    key_from: str = ""
    picture: str = ""

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it answers over HTTP; None for a model of this machine."""
        if self.adapter or not self.model.startswith(ENDPOINT):
            return None
        url, _, name = self.model.removeprefix(ENDPOINT).partition("#")
        return Endpoint(url, name, self.key_from)

    @property
    def folder(self) -> Path | None:
        """The folder with the weights; None for a base."""
        place = self.adapter or (self.model if self.run else "")
        return Path(place) if place else None

    def config(self, base: ModelConfig) -> ModelConfig:
        """Return the settings to load it with: those of the base, but for its name."""
        if self.model == base.id:
            return base
        return base.model_copy(update={"id": self.model, "revision": None})

    def ensure_unchanged(self) -> None:
        """Check that its weights are those that the evaluation began with.

        Raises:
            NotFoundError: They are gone.
            ConflictError: They are others now.
        """
        folder = self.folder
        if folder is None:
            return
        if not folder.is_dir():
            raise NotFoundError(
                f"The weights of {self.name} are gone: there is no {folder} any more.",
                remedy="The answers so far are kept. Evaluate again without it.",
                field=FIELD,
            )
        if stamp_of(folder) != self.stamp:
            raise ConflictError(
                f"The weights of {self.name} were replaced since this evaluation began.",
                remedy="Evaluate again, so that all answers are of the same weights.",
                field=FIELD,
            )


def base_of(model: str) -> EvaluatedModel:
    """Return the base model itself."""
    return EvaluatedModel(BASE, model)


def endpoint_model(name: str, key_from: str = "") -> EvaluatedModel:
    """Return the model behind `endpoint:URL#MODEL`. Raises InputError when it is no such name."""
    url, separator, model = name.removeprefix(ENDPOINT).partition("#")
    if not separator or not model.strip():
        raise InputError(
            "An endpoint is named with its model.",
            remedy="Write endpoint:URL#MODEL, for example "
            "endpoint:http://localhost:8000/v1#my-model.",
            field=FIELD,
        )
    found = Endpoint(url, model, key_from)
    where = f"{ENDPOINT}{found.url}#{found.model}"
    return EvaluatedModel(f"{found.model} at {found.host}", where, key_from=key_from)


def find_model(
    store: RunStore, model: str, name: str, *, same_base: bool = False, key_from: str = ""
) -> EvaluatedModel:
    """Return who is meant by a name: `base`, a run, `RUN@STEP`, a folder, `endpoint:URL#MODEL`.

    Raises:
        NotFoundError: There is no such run, step or folder.
        ModelError: A run has left no complete weights, or was trained on another base.
    """
    if name.startswith(ENDPOINT):
        return endpoint_model(name, key_from)
    if name == BASE:
        return endpoint_model(model, key_from) if model.startswith(ENDPOINT) else base_of(model)
    if can_be_path(name) and Path(name).is_dir():
        folder = Path(name).resolve()
        return EvaluatedModel(name, model, str(folder), same_base=same_base, stamp=stamp_of(folder))
    run_name, separator, step = name.rpartition("@")
    if not separator:
        run_name = name
    run = find_run(store, run_name, FIELD)
    _ensure_same_base(run, model)
    folder = _checkpoint(run, step) if separator else _weights(run)
    known = int(step) if separator else checkpoints.adapter_step(run.paths)
    called = f"{run.run_id}@{known}" if separator else run.run_id
    same_base = same_base or (run.config.adapter is not None and run.config.adapter.base_is_same)
    stamp = stamp_of(folder)
    if (folder / "adapter_config.json").is_file():
        return EvaluatedModel(called, model, str(folder), run.run_id, known, same_base, stamp)
    return EvaluatedModel(called, str(folder), "", run.run_id, known, False, stamp)


def stamp_of(folder: Path) -> str:
    """Return what changes when the weights in a folder are replaced."""
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), folder / "adapter_config.json"]):
        if file.is_file():
            found = file.stat()
            digest.update(f"{file.name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _ensure_same_base(run: Run, model: str) -> None:
    base = run.config.model.id
    if base != model:
        raise ModelError(
            f"Run {run.run_id} was trained on {base}, not on {model}.",
            remedy=f"Evaluate it on its base: python -m studio evaluate {base} --adapter {run.run_id}",
            field=FIELD,
        )


def _weights(run: Run) -> Path:
    if not run.has_adapter:
        steps = _steps(run.paths)
        there = f" Its complete checkpoints are of step {steps}: write RUN@STEP." if steps else ""
        raise ModelError(
            f"Run {run.run_id} has left no complete weights.",
            remedy=f"Wait for its end, or resume it.{there}",
            field=FIELD,
        )
    return run.paths.adapter


def _checkpoint(run: Run, step: str) -> Path:
    if not step.isdigit():
        raise InputError(
            f"{step[:40]!r} is no step.",
            remedy="Write RUN@STEP, for example my-run@50.",
            field=FIELD,
        )
    for folder in checkpoints.complete_checkpoints(run.paths):
        if checkpoints.step_of(folder) == int(step):
            return folder
    if read_state(run.paths.adapter / checkpoints.MARKER).get("step") == int(step):
        return run.paths.adapter
    raise NotFoundError(
        f"Run {run.run_id} has no complete checkpoint of step {step}.",
        remedy=f"Complete ones are of step: {_steps(run.paths) or 'none'}.",
        field=FIELD,
    )


def _steps(paths: RunPaths) -> str:
    steps = {checkpoints.step_of(folder) for folder in checkpoints.complete_checkpoints(paths)}
    if (last := checkpoints.adapter_step(paths)) is not None:
        steps.add(last)
    return ", ".join(map(str, sorted(steps)))
