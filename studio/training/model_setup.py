"""A model made ready for training: loaded, adapted, in the right number formats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from torch import nn
from transformers import PreTrainedModel, Trainer

from studio.config import RunConfig
from studio.config.adapter import MOVES_WEIGHTS
from studio.config.setting_conflicts import ensure_consistent
from studio.core.errors import ModelError, NotFoundError, RunFailedError
from studio.core.paths import RunPaths, Workspace
from studio.models.adapter_config import CONTINUE, adapter_folder, lora_config
from studio.models.adapter_kinds import LORA
from studio.models.adapter_weights import (
    DEFAULT,
    AdapterFile,
    buildable,
    check_adapter,
    copy_adapter,
    fill,
    put_on,
)
from studio.models.load import Loaded, load_model
from studio.models.oom import MEMORY_ERRORS, first_line, ran_out
from studio.models.prequantized import refuse_untrainable, settled
from studio.training.parameter_groups import freeze_towers

REFERENCE = "dpo.reference"
REF = "ref"
DROPPING = ("attention_dropout", "dropout", "rank_dropout", "module_dropout")
"""What modules call the share that they drop without an `nn.Dropout`."""


@dataclass(frozen=True)
class PreparedModel:
    """What the trainers take: a model, with an adapter on it or to be put on it by TRL.

    Attributes:
        continued: The file of the adapter that is on it.
    """

    loaded: Loaded
    model: PreTrainedModel | PeftModel
    peft_config: LoraConfig | None
    reference: PreTrainedModel | None = None
    continued: AdapterFile | None = None


def prepare_model(config: RunConfig, workspace: Workspace) -> PreparedModel:
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


def _prepared(config: RunConfig, workspace: Workspace) -> PreparedModel:
    loaded = load_model(config.model)
    adapter = config.adapter
    if adapter is None:
        reference = load_model(config.model).model if config.method == "dpo" else None
        freeze_towers(loaded.model, config)
        return PreparedModel(loaded, loaded.model, None, reference)
    if adapter.continue_from is None:
        return PreparedModel(loaded, loaded.model, lora_config(adapter, loaded.model))
    continued = continued_adapter(config, workspace)
    if continued is None:
        raise NotFoundError("There is no adapter to continue.", field="adapter.continue_from")
    model = put_on(loaded.model, continued, trainable=True)
    return PreparedModel(loaded, model, None, continued=continued)


def continued_adapter(config: RunConfig, workspace: Workspace) -> AdapterFile | None:
    """Return the adapter that the run continues from, checked against its base model.

    Raises:
        ModelError: There is no such adapter, or it cannot be continued.
    """
    adapter = config.adapter
    if adapter is None or adapter.continue_from is None:
        return None
    return _checked(config, adapter_folder(adapter.continue_from, workspace), CONTINUE)


def reference_adapter(config: RunConfig, workspace: Workspace) -> AdapterFile | None:
    """Return the adapter of `reference_folder`, checked against the base model.

    Raises:
        ModelError: There is no such adapter, or it cannot be the reference.
    """
    folder = reference_folder(config, workspace)
    return _checked(config, folder, REFERENCE) if folder else None


def run_adapters(
    config: RunConfig, workspace: Workspace
) -> tuple[AdapterFile | None, AdapterFile | None]:
    """Return the adapters (continued from, compared with), checked one by one and as a pair.

    Raises:
        ModelError: One cannot be used, or both cannot be on one model.
    """
    continued = continued_adapter(config, workspace)
    reference = reference_adapter(config, workspace)
    trained = continued.kind if continued else LORA
    if reference and reference.kind != trained:
        raise ModelError(
            f"The reference is an adapter of the kind {reference.kind}, the trained one of the "
            f"kind {trained}; they cannot be on one model.",
            remedy="Use base, or an adapter of the same kind.",
            field=REFERENCE,
        )
    return continued, reference


def _checked(config: RunConfig, folder: Path, field: str) -> AdapterFile:
    same_base = config.adapter is not None and config.adapter.base_is_same
    return check_adapter(
        folder, config.model, purpose=config.method, field=field, same_base=same_base
    )


def with_checkpoint_quantization(config: RunConfig) -> RunConfig:
    """Return `config` with the quantization that its model's files hold, where they hold one.

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
    """Return the adapter that is DPO's reference, when it is neither the base nor the one continued
    from.

    Raises:
        ModelError: There is no such adapter.
    """
    name = config.dpo.reference
    if config.method != "dpo" or name in ("auto", "base", "adapter"):
        return None
    return adapter_folder(name, workspace, field=REFERENCE)


def set_weights(trainer: Trainer, config: RunConfig, trainable: PreparedModel) -> None:
    """Give the adapter in a trainer the weights it starts from, and take all dropout out of DPO.

    TRL stores what is trained on a quantized model in bfloat16; the file's own weights replace
    what that rounded.
    """
    model = trainer.model
    keep_adapter_precision(model, trainable.loaded.dtype)
    if trainable.continued:
        fill(model, trainable.continued, DEFAULT)
    if config.method == "dpo":
        drop_nothing(model)


def set_reference(trainer: Trainer, config: RunConfig, workspace: Workspace) -> None:
    """Make `dpo.reference` what the trainer compares with.

    TRL scores the reference with the adapter `ref` when there is one, else with no adapter. A new
    DoRA adapter is compared with a copy of itself: in 16 bits its magnitudes divided by the norms
    of the weights are not quite 1, so that the base alone is not where it starts.
    """
    if config.method != "dpo" or config.adapter is None:
        return
    model = trainer.model
    if copies_start(config):
        if REF not in model.peft_config:
            model.add_adapter(REF, buildable(model.peft_config[DEFAULT]))
        copy_adapter(model, DEFAULT, REF)
    elif REF in model.peft_config:
        model.delete_adapter(REF)
    reference = None if copies_start(config) else reference_adapter(config, workspace)
    if reference:
        put_on(model, reference, REF)
    model.set_adapter(DEFAULT)


def copies_start(config: RunConfig) -> bool:
    """Return whether DPO's reference is a frozen copy of the adapter as training begins."""
    adapter, reference = config.adapter, config.dpo.reference
    if config.method != "dpo" or adapter is None:
        return False
    if adapter.continue_from is None:
        return adapter.dora and reference in ("auto", "base")
    return reference in ("auto", "adapter", adapter.continue_from)


def drop_nothing(model: nn.Module) -> None:
    """Switch off all dropout: DPO compares two passes over the same rows.

    TRL does so for `nn.Dropout`; models and PEFT's kinds also drop with numbers of their own.
    """
    for module in model.modules():
        for name in DROPPING:
            rate = getattr(module, name, None)
            if isinstance(rate, float):
                setattr(module, name, 0.0)
            elif isinstance(rate, dict):
                rate.update({key: 0.0 for key, one in rate.items() if isinstance(one, float)})
        if "Dropout" in type(module).__name__ and isinstance(getattr(module, "p", None), float):
            module.p = 0.0


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
    if adapter is None or adapter.continue_from is not None or paths.rank != 0:
        return
    if adapter.init in MOVES_WEIGHTS:
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
