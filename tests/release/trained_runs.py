"""Runs that have ended, with an adapter whose weights are away from their start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForImageTextToText, AutoProcessor

from studio.config import run_file
from studio.core.paths import TINY_VLM, Workspace, write_json
from studio.runs.checkpoints import MARKER
from studio.runs.status import update_status
from studio.runs.store import Run, RunStore
from tests.adapter_folders import LANGUAGE, save_adapter_of

STEP = 7


def trained_run(
    workspace: Workspace, *, adapter: dict[str, Any] | None = None, **settings: Any
) -> Run:
    """Make a finished run with a LoRA adapter on the language model.

    Args:
        adapter: Changes to the adapter's description.
        settings: Of the run, for example its `model`.
    """
    values = {"name": "mine", "data": {"source": "embedded:sft"}, **settings}
    run = RunStore(workspace).create(run_file.parse(values))
    described = {"r": 4, "lora_alpha": 8, "target_modules": LANGUAGE, "task_type": "CAUSAL_LM"}
    config = LoraConfig(**described | (adapter or {}))
    save_adapter_of(config, run.paths.adapter, model=run.config.model)
    AutoProcessor.from_pretrained(TINY_VLM).save_pretrained(run.paths.adapter)
    kind = {"kind": "adapter", "step": STEP, "base": run.config.model.id}
    write_json(run.paths.adapter / MARKER, kind)
    update_status(run.paths, state="finished", step=STEP)
    return RunStore(workspace).get(run.run_id)


def tied_model(folder: Path) -> Path:
    """Write the embedded model with one table for its embeddings and its head."""
    model = AutoModelForImageTextToText.from_pretrained(TINY_VLM)
    for config in (model.config, model.config.text_config):
        config.tie_word_embeddings = True
    with torch.no_grad():
        head = model.get_output_embeddings()
        head.weight = model.get_input_embeddings().weight
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(TINY_VLM).save_pretrained(folder)
    return folder
