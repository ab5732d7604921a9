"""EVA: an adapter begins as the directions in which the inputs of its layers vary most.

Rows run through the model before training to find them (Paischer et al. 2024). Every layer keeps
the rank it was given (`rho` of 1 in PEFT), so that a plan's counts hold. The scripts made of runs
hold this text as it stands, so nothing of the studio is used in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import EvaConfig, PeftModel, initialize_lora_eva_weights
from transformers import ProcessorMixin
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

MOST_ROWS = 4
MOST_PASSES = 200
MOST_TOKENS = 256
COLLATORS = {"sft": DataCollatorForVisionLanguageModeling, "dpo": DataCollatorForVisionPreference}
NOT_READ = ("labels", "completion_mask")


def start_from_rows(
    model: PeftModel,
    processor: ProcessorMixin,
    rows: Sequence[dict[str, Any]],
    method: str,
    seed: int,
    passed: Callable[[int], None] = lambda passes: None,
) -> None:
    """Set the matrices A of the adapter; B stays 0, so that the model answers as before.

    Args:
        rows: In TRL's columns, images open.
        method: `sft` or `dpo`.
        passed: Called with the number of passes so far, `MOST_PASSES` at most.

    Raises:
        ValueError: The directions did not settle, or the rank is larger than a layer is wide or
            than a few rows are long.
    """
    collate, base = COLLATORS[method](processor), model.get_base_model().base_model
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    config = model.peft_config["default"]
    most = max(MOST_TOKENS, 4 * config.r)
    # More rows at once than give the tokens that are read would be passed for nothing.
    tokens = collate([dict(rows[0])])["input_ids"].numel()
    rows_at_once = min(MOST_ROWS, max(1, most // tokens))
    passes = 0

    def read(_: PeftModel, numbers: torch.Tensor) -> None:
        nonlocal passes
        passes += 1
        if passes > MOST_PASSES:
            raise ValueError(f"the directions did not settle in {MOST_PASSES} passes")
        batch = collate([dict(rows[number]) for number in numbers.tolist()])
        inputs = {name: value for name, value in batch.items() if name not in NOT_READ}
        for name, value in inputs.items():
            dtype = model.dtype if value.is_floating_point() else value.dtype
            inputs[name] = value.to(model.device, dtype)
        base(**inputs, use_cache=False)
        passed(passes)

    def some_tokens(inputs: tuple[torch.Tensor, ...], *_: Any) -> torch.Tensor:
        tokens = inputs[0].flatten(0, -2)
        if len(tokens) < config.r:
            raise ValueError(f"{len(tokens)} tokens of a few rows for a rank of {config.r}")
        return tokens[:: -(-len(tokens) // most)].contiguous()

    config.init_lora_weights, config.eva_config = "eva", EvaConfig(rho=1.0)
    try:
        initialize_lora_eva_weights(
            model,
            list(order.split(rows_at_once)),
            forward_fn=read,
            prepare_model_inputs_fn=lambda inputs, config: None,
            prepare_layer_inputs_fn=some_tokens,
            gather_distributed_inputs=False,
            show_progress_bar=False,
        )
    finally:
        config.init_lora_weights, config.eva_config = True, None
