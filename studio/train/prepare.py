"""A model made ready for training: loaded, adapted, in the right number formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, Trainer

from studio.config import RunConfig
from studio.config.adapter import MOVES_WEIGHTS
from studio.config.checks import ensure_consistent
from studio.errors import ModelError, RunFailedError
from studio.models.adapters import inspect_adapter, lora_config
from studio.models.load import Loaded, load_model
from studio.models.prequantized import refuse_untrainable, settled
from studio.models.shortage import MEMORY_ERRORS, first_line, ran_out
from studio.models.source import model_path
from studio.paths import RunPaths, Workspace
from studio.train.rates import freeze_towers

CONTINUE, REFERENCE = "adapter.continue_from", "dpo.reference"
REF = "ref"


@dataclass(frozen=True)
class Trainable:
    """What the trainers take: a model, with an adapter on it or to be put on it by TRL."""

    loaded: Loaded
    model: PreTrainedModel | PeftModel
    peft_config: LoraConfig | None
    reference: PreTrainedModel | None = None


def prepare_model(config: RunConfig, workspace: Workspace) -> Trainable:
    """Load the base model, and the adapter to continue from when there is one.

    Raises:
        ModelError: The model or the adapter cannot be used.
        RunFailedError: There is no room for the weights; fewer rows at once would not help.
    """
    try:
        return _prepared(config, workspace)
    except MEMORY_ERRORS as error:
        if not ran_out(error):
            raise
        raise RunFailedError(
            f"Memory ran out while the weights of {config.model.id} were loaded: "
            f"{first_line(error)}",
            remedy=_lighter(config),
            field="model.id",
        ) from error


def _lighter(config: RunConfig) -> str:
    remedies = ["Choose a smaller model"]
    if config.adapter is None:
        remedies.append("train an adapter instead of every weight")
    elif settled(config.model).quantization == "none":
        remedies.append("set model.quantization: nf4")
    return ", or ".join([*remedies, "end what else takes memory"]) + "."


def _prepared(config: RunConfig, workspace: Workspace) -> Trainable:
    loaded = load_model(config.model)
    adapter = config.adapter
    if adapter is None:
        reference = load_model(config.model).model if config.method == "dpo" else None
        freeze_towers(loaded.model, config)
        return Trainable(loaded, loaded.model, None, reference)
    if adapter.continue_from is None:
        return Trainable(loaded, loaded.model, lora_config(adapter, loaded.model))
    folder = adapter_folder(adapter.continue_from, workspace)
    check_base(config, folder)
    model = PeftModel.from_pretrained(loaded.model, folder, is_trainable=True)
    return Trainable(loaded, model, None)


def with_checkpoint_quantization(config: RunConfig) -> RunConfig:
    """`config` with the quantization that its model's files hold, where they hold one.

    Raises:
        ModelError: The settings contradict it, or such weights cannot be trained.
    """
    refuse_untrainable(config.model)
    whole = config.adapter.modules_to_save if config.adapter else ()
    model = settled(config.model, whole)
    if model.quantization == config.model.quantization:
        return config
    if config.adapter is None:
        raise ModelError(
            f"{config.model.id} holds quantized weights, which cannot be trained themselves.",
            remedy="Train an adapter, or choose the model's version in full precision.",
            field="adapter",
        )
    config = config.model_copy(update={"model": model})
    ensure_consistent(config)
    return config


def reference_folder(config: RunConfig, workspace: Workspace) -> Path | None:
    """The adapter that is DPO's reference, when it is neither the base nor the one continued from.

    Raises:
        ModelError: There is no such adapter, it is damaged, or was trained on another model.
    """
    name = config.dpo.reference
    if config.method != "dpo" or name in ("auto", "base", "adapter"):
        return None
    folder = adapter_folder(name, workspace, field=REFERENCE)
    check_base(config, folder, field=REFERENCE)
    return folder


def set_reference(trainer: Trainer, config: RunConfig, workspace: Workspace) -> None:
    """Make `dpo.reference` what the trainer compares with.

    TRL scores the reference with the adapter named `ref` when there is one (it makes it as a
    copy of the adapter continued from), else with no adapter.
    """
    if config.method != "dpo" or config.adapter is None:
        return
    folder, model = reference_folder(config, workspace), trainer.model
    if (folder or config.dpo.reference == "base") and REF in model.peft_config:
        model.delete_adapter(REF)
    if folder:
        model.load_adapter(folder, adapter_name=REF, is_trainable=False, use_safetensors=True)
        model.set_adapter("default")


def adapter_folder(name: str, workspace: Workspace, field: str = CONTINUE) -> Path:
    """The folder of a run's adapter, or the folder itself.

    Args:
        field: The setting that names it, for the error.

    Raises:
        ModelError: There is neither such a run nor such a folder.
    """
    for folder in (workspace.run(name).adapter, Path(name)):
        if folder.is_dir():
            return folder
    raise ModelError(
        f"There is no run or adapter folder {name!r}.",
        remedy="Give the id of a finished run, or the path of an adapter folder.",
        field=field,
    )


def check_base(config: RunConfig, folder: Path, field: str = CONTINUE) -> None:
    """Refuse an adapter that is damaged or was trained on another model."""
    info = inspect_adapter(folder, field)
    expected = {config.model.id, model_path(config.model.id)}
    if (
        info.base
        and info.base not in expected
        and Path(info.base).name not in {Path(name).name for name in expected}
    ):
        raise ModelError(
            f"The adapter in {folder.name} was trained on {info.base}, not on {config.model.id}.",
            remedy="Choose the same base model.",
            field=field,
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


def keep_start(model: torch.nn.Module, config: RunConfig, paths: RunPaths) -> None:
    """Keep the adapter as it begins, when beginning moved part of the base weights into it."""
    adapter = config.adapter
    fresh = adapter is not None and adapter.continue_from is None
    if fresh and adapter.init in MOVES_WEIGHTS and paths.rank == 0:
        model.save_pretrained(paths.adapter_start, selected_adapters=["default"])


def save_adapter(model: PeftModel, paths: RunPaths, weights: dict[str, Any] | None = None) -> None:
    """Write the trained adapter so that it fits the base model as it came.

    Args:
        weights: All of them, by name, where the model itself holds only a part.

    After PiSSA or OLoRA it is written as plain LoRA of twice the rank: what it learned is
    A·B − A₀·B₀ (Meng et al. 2024, section 4).
    """
    start = str(paths.adapter_start) if paths.adapter_start.is_dir() else None
    model.save_pretrained(
        paths.adapter,
        selected_adapters=["default"],
        path_initial_model_for_weight_conversion=start,
        state_dict=weights,
    )
