"""The preflight: everything that can be found out without loading weights."""

from __future__ import annotations

import statistics
from typing import Any

from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel, ProcessorMixin
from trl.data_utils import prepare_multimodal_messages

from studio.config import RunConfig
from studio.config.checks import ensure_consistent
from studio.data.convert import TrainingData
from studio.errors import ConfigError, ModelError
from studio.models.adapters import lora_config
from studio.models.devices import device_problems, pick_device, resolve_dtype
from studio.models.load import skeleton_of
from studio.models.source import load_processor
from studio.models.targets import matched_modules, matched_per_tower
from studio.models.towers import TOWERS, Tower, find_towers
from studio.paths import Workspace
from studio.runs.plan import Plan, TowerPlan
from studio.train.data import RunData, load_run_data, reasons
from studio.train.prepare import adapter_folder, check_base

SAMPLED_ROWS = 24


def plan_run(config: RunConfig, workspace: Workspace) -> tuple[Plan, RunData]:
    """What `config` would do on this machine, and the rows it would use.

    Raises:
        InputError: It cannot be run; the error names the field and the remedy.
    """
    ensure_consistent(config)
    device = pick_device()
    found = device_problems(config.model, device)
    if found:
        raise ConfigError(found)
    skeleton = skeleton_of(config.model)
    processor = load_processor(config.model)
    towers = _tower_plans(config, skeleton, workspace)
    data = load_run_data(config, workspace, processor.tokenizer.all_special_tokens)
    tokens = sample_token_counts(data.train, processor, config.method)
    _check_length(config, skeleton, max(tokens))
    plan = Plan(
        trainable_parameters=sum(tower.trainable for tower in towers),
        total_parameters=sum(tower.total for tower in towers),
        towers=towers,
        train_rows=data.train.used,
        evaluation_rows=data.evaluation_rows,
        steps=config.total_steps(data.train.used),
        effective_batch=config.batch.total,
        accumulation=config.accumulation,
        tokens_median=int(statistics.median(tokens)),
        tokens_max=max(tokens),
        device=device.type,
        dtype=str(resolve_dtype(config.model.dtype, device)).removeprefix("torch."),
        warnings=_warnings(config, data, towers, device.type),
        skipped=reasons(data.train.skipped),
    )
    return plan, data


def sample_token_counts(data: TrainingData, processor: ProcessorMixin, method: str) -> list[int]:
    """Tokens of up to 24 rows spread over the data; for DPO the longer of the two answers."""
    stride = max(1, data.used // SAMPLED_ROWS)
    rows = [data.dataset[index] for index in range(0, data.used, stride)][:SAMPLED_ROWS]
    answers = ("completion",) if method == "sft" else ("chosen", "rejected")
    return [max(_tokens(row, answer, processor) for answer in answers) for row in rows]


def _tokens(row: dict[str, Any], answer: str, processor: ProcessorMixin) -> int:
    images = row.get("images") or []
    messages = [
        *prepare_multimodal_messages(row["prompt"], images=list(images)),
        *prepare_multimodal_messages(row[answer]),
    ]
    encoded = processor.apply_chat_template(messages, tokenize=True, return_dict=True)
    ids = encoded["input_ids"]
    return len(ids[0]) if isinstance(ids[0], list) else len(ids)


def _tower_plans(
    config: RunConfig, skeleton: PreTrainedModel, workspace: Workspace
) -> list[TowerPlan]:
    adapter = config.adapter
    totals = _count(skeleton, find_towers(skeleton).of)
    if adapter is None:
        return [TowerPlan(tower, 0, totals[tower], totals[tower]) for tower in TOWERS]
    if adapter.continue_from is not None:
        folder = adapter_folder(adapter.continue_from, workspace)
        check_base(config, folder)
        lora = LoraConfig.from_pretrained(str(folder))
        matched: list[str] = []
    else:
        matched = matched_modules(skeleton, adapter)
        lora = lora_config(adapter, skeleton)
    lora.init_lora_weights = True
    per_tower = matched_per_tower(skeleton, matched)
    towers = find_towers(skeleton)
    adapted = get_peft_model(skeleton, lora, low_cpu_mem_usage=True)
    trainable = _count(adapted.get_base_model(), towers.of, trainable_only=True)
    return [TowerPlan(tower, per_tower[tower], trainable[tower], totals[tower]) for tower in TOWERS]


def _count(model: PreTrainedModel, tower_of: Any, trainable_only: bool = False) -> dict[Tower, int]:
    counts: dict[Tower, int] = dict.fromkeys(TOWERS, 0)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or not trainable_only:
            counts[tower_of(name)] += parameter.numel()
    return counts


def _check_length(config: RunConfig, skeleton: PreTrainedModel, longest: int) -> None:
    limit = getattr(skeleton.config.get_text_config(), "max_position_embeddings", None)
    if limit and longest > limit:
        raise ModelError(
            f"Rows reach {longest:,} tokens; {config.model.id} can read {limit:,}. Cutting them "
            "would cut image tokens.",
            remedy="Lower model.image.longest_edge or leave out the longest rows.",
            field="model.image.longest_edge",
        )


def _warnings(config: RunConfig, data: RunData, towers: list[TowerPlan], device: str) -> list[str]:
    found = []
    if device == "cpu" and config.optimizer.name.startswith("paged"):
        found.append("Paged optimizers do not page on a CPU; the plain 8- or 32-bit one is used.")
    if data.train.used < config.batch.total:
        found.append(
            f"Only {data.train.used} rows: less than one effective batch of {config.batch.total}."
        )
    vision = next(tower for tower in towers if tower.name == "vision")
    wanted = config.adapter.targets if config.adapter else None
    if vision.matched and isinstance(wanted, list):
        found.append(
            f"The names also match {vision.matched} modules of the vision tower. "
            "Use language to leave it as it is."
        )
    if config.method == "dpo" and config.optimizer.learning_rate > 5e-5 and config.adapter:
        found.append(
            f"A learning rate of {config.optimizer.learning_rate:g} is high for DPO with LoRA "
            "(5e-6 to 1e-5 for large models)."
        )
    return found
