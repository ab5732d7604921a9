"""A model made ready for training: loaded, adapted, in the right number formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel

from studio.config import RunConfig
from studio.errors import ModelError
from studio.models.adapters import inspect_adapter, lora_config
from studio.models.load import Loaded, load_model
from studio.models.source import model_path
from studio.paths import Workspace


@dataclass(frozen=True)
class Trainable:
    """What the trainers take: a model, with an adapter on it or to be put on it by TRL."""

    loaded: Loaded
    model: PreTrainedModel | PeftModel
    peft_config: LoraConfig | None
    reference: PreTrainedModel | None = None


def prepare_model(config: RunConfig, workspace: Workspace) -> Trainable:
    """Load the base model, and the adapter to continue from when there is one."""
    loaded = load_model(config.model)
    adapter = config.adapter
    if adapter is None:
        reference = load_model(config.model).model if config.method == "dpo" else None
        return Trainable(loaded, loaded.model, None, reference)
    if adapter.continue_from is None:
        return Trainable(loaded, loaded.model, lora_config(adapter, loaded.model))
    folder = adapter_folder(adapter.continue_from, workspace)
    check_base(config, folder)
    model = PeftModel.from_pretrained(loaded.model, folder, is_trainable=True)
    return Trainable(loaded, model, None)


def adapter_folder(name: str, workspace: Workspace) -> Path:
    """The folder of a run's adapter, or the folder itself.

    Raises:
        ModelError: There is neither such a run nor such a folder.
    """
    for folder in (workspace.run(name).adapter, Path(name)):
        if folder.is_dir():
            return folder
    raise ModelError(
        f"There is no run or adapter folder {name!r}.",
        remedy="Give the id of a finished run, or the path of an adapter folder.",
        field="adapter.continue_from",
    )


def check_base(config: RunConfig, folder: Path) -> None:
    """Refuse an adapter that was trained on another model."""
    info = inspect_adapter(folder)
    expected = {config.model.id, model_path(config.model.id)}
    if (
        info.base
        and info.base not in expected
        and Path(info.base).name not in {Path(name).name for name in expected}
    ):
        raise ModelError(
            f"The adapter in {folder.name} was trained on {info.base}, not on {config.model.id}.",
            remedy="Choose the same base model.",
            field="adapter.continue_from",
        )


def keep_adapter_precision(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Put trainable weights back to float32 where the model computes in float32.

    TRL stores the adapter of any quantized model in bfloat16; next to float32 compute that
    only loses precision.
    """
    if dtype != torch.float32:
        return
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
