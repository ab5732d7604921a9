"""What goes with a run that is trained elsewhere, and what comes back from it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from studio.core.errors import RunFailedError, first_line
from studio.core.paths import Workspace, read_json, write_json
from studio.launch.hf_job_script import WANTED, WEIGHTS
from studio.launch.script_rows import write_rows
from studio.launch.training_script import recipe_of, render
from studio.runs import checkpoints
from studio.runs.store import Run

TRIES = 3
BETWEEN_TRIES = 10.0


def pack(run: Run, workspace: Workspace, folder: Path, mounted: str) -> list[Path]:
    """Write script, rows, and the model or adapter folders of this machine that it needs.

    Args:
        folder: Where to; emptied first.
        mounted: What the folder is called where the script runs.

    Returns:
        Every file, the script first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recipe = _taken_along(recipe_of(run), folder, mounted)
    splits = write_rows(run.config, workspace, folder / "rows", recipe)
    script = folder / "train.py"
    script.write_text(render(recipe, "rows", splits), encoding="utf-8")
    rest = sorted(path for path in folder.rglob("*") if path.is_file() and path != script)
    return [script, *rest]


def _taken_along(recipe: Mapping[str, Any], folder: Path, mounted: str) -> dict[str, Any]:
    """The recipe with the folders it reads copied, and named as they are called elsewhere."""
    model, lines = dict(recipe["model"]), recipe["lines"]
    folders = {"adapter": recipe["continue_from"], "reference": recipe["reference"]}
    if Path(model["id"]).is_dir():
        _copy(Path(model["id"]), folder / "model")
        model["id"] = f"{mounted}/model"
    for name, source in folders.items():
        if source and Path(source).is_dir():
            _copy(Path(source), folder / name)
            folders[name] = f"{mounted}/{name}"
            after = [
                line.replace(repr(source), repr(folders[name])) for line in lines["after_trainer"]
            ]
            lines = {**lines, "after_trainer": after}
    named = {"continue_from": folders["adapter"], "reference": folders["reference"]}
    return {**recipe, **named, "model": model, "lines": lines}


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for pattern in WANTED:
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)


def steps_of(run: Run) -> int:
    """How many steps a run takes over the rows that were packed for it; 0 when that is not known."""
    import pyarrow.parquet as pq

    rows = run.paths.root / "job" / "rows" / "train.parquet"
    return run.config.total_steps(pq.read_metadata(rows).num_rows) if rows.is_file() else 0


def bring_back(run: Run, api: HfApi, repository: str) -> None:
    """Download the weights of a model repository into the run's folder; safetensors and JSON only.

    Raises:
        RunFailedError: They are not there, or cannot be had.
    """
    arriving = run.paths.root / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        _download(api, repository, arriving)
        if not list(arriving.glob(WEIGHTS)):
            raise RunFailedError(
                f"The job has ended, but {repository} holds no weights.",
                remedy="Read the job's log: its last lines say whether the upload failed.",
            )
        shutil.rmtree(arriving / ".cache", ignore_errors=True)
        _name_base(arriving / "adapter_config.json", recipe_of(run)["model"]["id"])
        shutil.rmtree(run.paths.adapter, ignore_errors=True)
        arriving.rename(run.paths.adapter)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    config = run.config
    kind = "adapter" if config.adapter else "model"
    about = {"kind": kind, "step": run.status.step, "base": config.model.id, "from": repository}
    write_json(run.paths.adapter / checkpoints.MARKER, about)


def _name_base(adapter_config: Path, base: str) -> None:
    """Call the base model what it is called here; elsewhere it may have been another folder."""
    values = read_json(adapter_config)
    if values is not None:
        write_json(adapter_config, values | {"base_model_name_or_path": base})


def _download(api: HfApi, repository: str, folder: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            api.snapshot_download(repository, allow_patterns=list(WANTED), local_dir=folder)
            return
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            if not left:
                raise RunFailedError(
                    f"The job has ended, but its weights could not be fetched from {repository}: "
                    f"{first_line(error)}",
                    remedy=f"Fetch them again with `python -m studio remote` and the run's folder, "
                    f"or look at https://huggingface.co/{repository}.",
                ) from error
        time.sleep(BETWEEN_TRIES)
