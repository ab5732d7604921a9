"""What goes with a run that is trained elsewhere, and what comes back from it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from studio.errors import RunFailedError
from studio.paths import Workspace, write_json
from studio.runs import checkpoints
from studio.runs.store import Run
from studio.services.eject import recipe_of, render, write_rows

WEIGHTS = "*.safetensors"
WANTED = (WEIGHTS, "*.json", "*.jinja", "*.txt", "*.model")
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
    splits = write_rows(run.config, workspace, folder / "rows", recipe["special_tokens"])
    script = folder / "train.py"
    script.write_text(render(recipe, "rows", splits), encoding="utf-8")
    rest = sorted(path for path in folder.rglob("*") if path.is_file() and path != script)
    return [script, *rest]


def _taken_along(recipe: Mapping[str, Any], folder: Path, mounted: str) -> dict[str, Any]:
    model, adapter = dict(recipe["model"]), recipe["continue_from"]
    if Path(model["id"]).is_dir():
        _copy(Path(model["id"]), folder / "model")
        model["id"] = f"{mounted}/model"
    if adapter and Path(adapter).is_dir():
        _copy(Path(adapter), folder / "adapter")
        adapter = f"{mounted}/adapter"
    return {**recipe, "model": model, "continue_from": adapter}


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for pattern in WANTED:
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)


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
                f"The job ended well, but {repository} holds no weights.",
                remedy="Read the job's log: its last lines say whether the upload failed.",
            )
        shutil.rmtree(arriving / ".cache", ignore_errors=True)
        shutil.rmtree(run.paths.adapter, ignore_errors=True)
        arriving.rename(run.paths.adapter)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    config = run.config
    kind = "adapter" if config.adapter else "model"
    about = {"kind": kind, "step": run.status.step, "base": config.model.id, "from": repository}
    write_json(run.paths.adapter / checkpoints.MARKER, about)


def _download(api: HfApi, repository: str, folder: Path) -> None:
    for left in reversed(range(TRIES)):
        try:
            api.snapshot_download(repository, allow_patterns=list(WANTED), local_dir=folder)
            return
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            if not left:
                raise RunFailedError(
                    f"The job ended well, but its weights could not be fetched from {repository}: "
                    f"{str(error).splitlines()[0]}",
                    remedy=f"Fetch them again with `python -m studio remote` and the run's folder, "
                    f"or look at https://huggingface.co/{repository}.",
                ) from error
        time.sleep(BETWEEN_TRIES)
