"""What a run comes down to in the terms of transformers, TRL and PEFT, as plain values.

The worker writes it down with what it really used; `studio.launch.training_script` makes a script of it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from peft import LoraConfig
from transformers import BitsAndBytesConfig, PreTrainedModel, ProcessorMixin

from studio.config import RunConfig
from studio.config.availability import OPTIMIZERS, TRACKERS
from studio.config.job_flavors import JOBS_ENGINE
from studio.config.model import ModelConfig
from studio.core.paths import RunPaths, Workspace, write_json
from studio.models.adapter_config import adapter_folder, lora_config
from studio.models.devices import pick_device, resolve_dtype
from studio.models.load import Loaded, skeleton_of
from studio.models.model_location import model_path
from studio.models.model_source import load_processor
from studio.models.prequantized import loading_config
from studio.models.quantize import quantization_config
from studio.training.model_setup import reference_folder, with_checkpoint_quantization
from studio.training.planning.preflight_plan import rows_of
from studio.training.row_length import context_of
from studio.training.run_rows import RunData
from studio.training.script_family_fixes import additions_of
from studio.training.script_lines import begins_with_rows, lines_of
from studio.training.trainer_arguments import argument_values, best_of

QUANTIZATION = (
    "load_in_8bit",
    "load_in_4bit",
    "bnb_4bit_quant_type",
    "bnb_4bit_use_double_quant",
    "bnb_4bit_compute_dtype",
    "llm_int8_skip_modules",
)
WITHOUT_BFLOAT16 = "t4"
NOT_OURS = ("peft_type", "base_model_name_or_path", "inference_mode", "runtime_config")


def write_recipe(
    config: RunConfig, paths: RunPaths, workspace: Workspace, data: RunData | None = None
) -> None:
    """Write the recipe of a run into its folder; reads the model's configuration, no weights.

    Args:
        data: Its rows, when they are known already.
    """
    config = with_checkpoint_quantization(config)
    skeleton = skeleton_of(config.model)
    device, dtype = _target(config)
    processor = load_processor(config.model)
    loaded = Loaded(skeleton, processor, device, dtype)
    if data is None:
        data = rows_of(config, workspace, processor, context_of(skeleton.config)).data
    arguments = argument_values(config, paths, loaded)
    arguments |= {"output_dir": "out", "save_total_limit": config.schedule.keep}
    if config.schedule.early_stopping:
        arguments |= best_of(config.schedule.metric)
    adapter = config.adapter
    fresh = adapter is not None and adapter.continue_from is None
    reference = reference_folder(config, workspace) if adapter else None
    recipe = {
        "name": config.name,
        "method": config.method,
        "seed": config.schedule.seed,
        "processes": config.launch.processes,
        "early_stopping": config.schedule.early_stopping,
        "model": {
            "id": model_path(config.model.id),
            "revision": config.model.revision,
            "dtype": _name(dtype),
            "attention": config.model.attention,
            "quantization": _quantization(quantization_config(config.model, skeleton, dtype)),
            "checkpoint": _of_checkpoint(config.model, skeleton, dtype),
        },
        "processor": config.model.image.model_dump(mode="json"),
        "adapter": _lora(lora_config(adapter, skeleton)) if fresh and adapter else None,
        "continue_from": str(adapter_folder(adapter.continue_from, workspace))
        if adapter is not None and adapter.continue_from
        else None,
        "reference": str(reference) if reference else None,
        "packages": packages_of(config, processor),
        "arguments": {key: _plain(value) for key, value in arguments.items()},
        "lines": lines_of(config, skeleton, workspace, data.scores_earlier).to_json(),
        "additions": additions_of(
            processor,
            skeleton,
            eva=begins_with_rows(config),
            earlier_answers=data.scores_earlier,
        ).to_json(),
        "special_tokens": list(processor.tokenizer.all_special_tokens),
        "fit": data.fit.to_json(),
        "left_out": data.left_out,
    }
    write_json(paths.recipe, recipe)


def _target(config: RunConfig) -> tuple[torch.device, torch.dtype]:
    """What the script trains on: this machine's device, or that of the job it is sent as."""
    kind, _, flavor = config.launch.engine.partition(":")
    device = pick_device()
    if f"{kind}:" == JOBS_ENGINE:
        device = torch.device("cpu" if flavor.startswith("cpu") else "cuda")
        if config.model.dtype == "auto" and device.type == "cuda":
            old = flavor.startswith(WITHOUT_BFLOAT16)
            return device, torch.float16 if old else torch.bfloat16
    return device, resolve_dtype(config.model.dtype, device)


def packages_of(config: RunConfig, processor: ProcessorMixin) -> list[str]:
    """Return what a script of the run needs beside the packages that every script does."""
    needs = [need for name in config.report_to for need in TRACKERS[name][:1]]
    if config.optimizer.name in OPTIMIZERS:
        needs.append(OPTIMIZERS[config.optimizer.name])
    found = {need.package for need in needs}
    if config.model.quantization != "none":
        found.add("bitsandbytes")
    if type(processor).__name__.startswith("SmolVLM"):
        found.add("num2words")
    return sorted(found)


def _lora(lora: LoraConfig) -> dict[str, Any]:
    usual = LoraConfig()
    values = {
        item.name: getattr(lora, item.name)
        for item in fields(lora)
        if item.init and item.name not in NOT_OURS
    }
    return {
        name: _plain(value)
        for name, value in values.items()
        if value != getattr(usual, name, None) or name in ("r", "lora_alpha", "lora_dropout")
    }


def _of_checkpoint(
    model: ModelConfig, skeleton: PreTrainedModel, dtype: torch.dtype
) -> dict[str, Any] | None:
    """The quantization that the files hold, as it is loaded; None for full weights."""
    config = loading_config(model, skeleton, dtype)
    if config is None:
        return None
    return {name: _plain(value) for name, value in config.quantization_config.items()}


def _quantization(config: BitsAndBytesConfig | None) -> dict[str, Any] | None:
    if config is None:
        return None
    usual, values = BitsAndBytesConfig().to_dict(), config.to_dict()
    return {name: _plain(values[name]) for name in QUANTIZATION if values[name] != usual[name]}


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, torch.dtype):
        return _name(value)
    return getattr(value, "value", value)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
