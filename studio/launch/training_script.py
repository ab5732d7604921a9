"""A run as one readable Python file that needs nothing of the studio.

The file uses transformers, trl, peft and datasets alone and trains what the run trained: same
rows in the same order, same weights at the start, same losses. Its rows lie beside it as parquet.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from studio.core.errors import RunFailedError
from studio.core.paths import Workspace, read_json
from studio.launch.script_rows import write_rows
from studio.launch.script_templates import fill
from studio.launch.worker_process import environment
from studio.runs.store import Run

CELL = "# %%"
ALONE = "python train.py"
SEVERAL = "On several GPUs"
PARTS = ("lines", "additions", "packages", "reference", "early_stopping", "fit", "left_out")
PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "pillow",
)


def recipe_of(run: Run) -> dict[str, Any]:
    """What the run's worker wrote down; worked out in a child process before its first start.

    One written by an earlier version is worked out again.

    Raises:
        InputError: Its run file cannot be read.
        RunFailedError: It cannot be worked out; the message is the child's.
    """
    _ = run.config  # refused here, before a child has loaded its libraries
    found = read_json(run.paths.recipe)
    if found is not None and all(part in found for part in PARTS):
        return found
    done = subprocess.run(
        [sys.executable, "-m", "studio", "recipe", str(run.paths.root)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    made = read_json(run.paths.recipe)
    if made is None or done.returncode != 0:
        raise RunFailedError(
            f"Run {run.run_id} cannot be written as a script: {done.stderr.strip()[-300:]}",
            remedy="Check its settings in Train.",
        )
    return made


def script(run: Run, workspace: Workspace, rows: str | None = None) -> str:
    """The run as Python source; its rows are written into the run's folder.

    Args:
        rows: What the script calls the folder of its rows; None: the run's own, by its full path.
    """
    recipe = recipe_of(run)
    splits = write_rows(run.config, workspace, run.paths.rows, recipe)
    return render(recipe, rows or str(run.paths.rows), splits)


def eject(run: Run, workspace: Workspace, folder: Path) -> list[Path]:
    """Write `train.py`, `train.ipynb` and `rows/` into `folder`, to be taken anywhere."""
    recipe = recipe_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    splits = write_rows(run.config, workspace, folder / "rows", recipe)
    text = render(recipe, "rows", splits)
    files = [folder / "train.py", folder / "train.ipynb"]
    files[0].write_text(text, encoding="utf-8")
    files[1].write_text(notebook(text), encoding="utf-8")
    return [*files, *(folder / "rows" / f"{split}.parquet" for split in splits)]


def notebook(text: str) -> str:
    """The script as a Jupyter notebook, one cell for each of its `# %%` parts."""
    head, *parts = re.split(f"^{CELL} ", text, flags=re.MULTILINE)
    title = ast.literal_eval(head.strip()).strip()
    title = title.replace(f"    {ALONE}\n", "\nThen run the cells from top to bottom.\n")
    title = "# " + title.replace(SEVERAL, f"{SEVERAL}, as a script")
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": title}]
    for part in parts:
        heading, _, body = part.partition("\n")
        cells.append({"cell_type": "markdown", "metadata": {}, "source": f"## {heading.strip()}"})
        cells.append(
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": body.strip(),
            }
        )
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        cell["source"] = cell["source"].splitlines(keepends=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    return json.dumps(whole, ensure_ascii=False, indent=1)


def render(recipe: Mapping[str, Any], rows: str, splits: list[str]) -> str:
    """Fill the script's template with a recipe; returns the source text.

    Args:
        rows: Folder of `<split>.parquet`; a relative one is looked for beside the script.
        splits: `train`, and `evaluation` when there is one.
    """
    model, method = recipe["model"], recipe["method"].upper()
    # Beside an adapter, DPO's reference is the base with the adapter off.
    with_reference = method == "DPO" and not (recipe["adapter"] or recipe["continue_from"])
    revision = f", revision={model['revision']!r}" if model["revision"] else ""
    about = fill(
        "about_script.txt.j2",
        **{**recipe, "method": method},
        folders=_folders_of_this_machine(recipe, rows),
        pins=packages(recipe),
    )
    holes = {
        **recipe,
        "about": about.replace("\\", "\\\\").replace('"', "'"),
        "method": method,
        "model": {"checkpoint": None, **model},
        "lines": {"before_trainer": [], "after_trainer": [], "save": [], **recipe["lines"]},
        "transformers_names": _transformers_names(recipe),
        "revision": revision,
        "loading": _loading(model),
        "with_reference": with_reference,
        "rows": rows,
        "rows_elsewhere": Path(rows).is_absolute(),
        "splits": splits,
        "values": _for_any_number(recipe),
    }
    return fill("train.py.j2", **holes)


def _folders_of_this_machine(recipe: Mapping[str, Any], rows: str) -> list[str]:
    folders = [recipe["model"]["id"], recipe["continue_from"], recipe["reference"], rows]
    return [folder for folder in folders if folder and Path(folder).is_absolute()]


def packages(recipe: Mapping[str, Any]) -> list[str]:
    """What the script needs, in the versions that are installed here."""
    return [pinned(name) for name in (*PACKAGES, *recipe["packages"])]


def pinned(name: str) -> str:
    """A package as pip takes it, in the version that is installed here."""
    try:
        return f"{name}=={version(name).split('+')[0]}"
    except PackageNotFoundError:
        return name


def _transformers_names(recipe: Mapping[str, Any]) -> list[str]:
    names = ["AutoModelForImageTextToText", "AutoProcessor"]
    if recipe["model"].get("checkpoint"):
        names.insert(0, "AutoConfig")
    elif recipe["model"]["quantization"]:
        names.append("BitsAndBytesConfig")
    if recipe["early_stopping"]:
        names.append("EarlyStoppingCallback")
    return names


def _loading(model: Mapping[str, Any]) -> list[str]:
    """The keyword arguments that the weights are loaded with."""
    keywords = [f"dtype=torch.{model['dtype']}", "use_safetensors=True"]
    if model["revision"]:
        keywords.append(f"revision={model['revision']!r}")
    if model["attention"] != "auto":
        keywords.append(f"attn_implementation={model['attention']!r}")
    if model.get("checkpoint"):
        keywords.append("config=config")
    elif model["quantization"]:
        keywords.append("quantization_config=quantization")
    if model["quantization"]:
        keywords.append('device_map={"": DEVICE}')
    return keywords


class _Code(str):
    """Source text among values: shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _for_any_number(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with an accumulation that fits the number of processes there are."""
    name = "gradient_accumulation_steps"
    alone = recipe["arguments"][name] * recipe["processes"]
    return {**recipe["arguments"], name: _Code(f"{alone} // PROCESSES")}
