"""A run's adapter as a folder for others: weights, a clean description, what questions are read with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from studio.core.errors import InputError
from studio.core.paths import write_atomic
from studio.models.adapter_config import WEIGHTS
from studio.models.model_source import load_processor
from studio.release.artefact_files import copy_processor
from studio.release.released_base import ReleasedBase, released_base
from studio.runs.run_weights import ADAPTER_CONFIG, RunWeights


def write_adapter(weights: RunWeights, folder: Path) -> ReleasedBase:
    """Write a run's adapter into an empty folder; returns what its base is called there.

    Raises:
        InputError: Every weight was trained, so there is no adapter.
    """
    if not weights.is_adapter:
        raise InputError(
            f"Run {weights.run.run_id} trained every weight: it has left a model, no adapter.",
            remedy="Release it with --merge.",
            field="merge",
        )
    base = released_base(weights.run.config.model)
    shutil.copyfile(weights.folder / WEIGHTS, folder / WEIGHTS)
    write_atomic(folder / ADAPTER_CONFIG, _described(weights.folder / ADAPTER_CONFIG, base))
    write_processor(weights, folder)
    return base


def write_processor(weights: RunWeights, folder: Path) -> None:
    """Write tokenizer, processor and chat template of a run into a folder.

    They are those it was trained with; a checkpoint that has none gets those of its base.
    """
    names = copy_processor(weights.folder, folder)
    if "tokenizer_config.json" in names and any("processor" in name for name in names):
        return
    if weights.folder != weights.run.paths.adapter and weights.run.has_adapter:
        names = copy_processor(weights.run.paths.adapter, folder)
        if "tokenizer_config.json" in names:
            return
    made = folder / ".processor"
    load_processor(weights.run.config.model).save_pretrained(made)
    copy_processor(made, folder)
    shutil.rmtree(made)


def _described(file: Path, base: ReleasedBase) -> str:
    values = json.loads(file.read_text(encoding="utf-8"))
    values["base_model_name_or_path"] = base.name or None
    values["revision"] = base.revision or None
    values["inference_mode"] = True
    return json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
