"""A model whose forward computes a layout instead of the trainer's own sequences.

TRL calls `model(**inputs, labels=…, fused_lm_head=True)` for the policy and for the reference and
reads per-token log-probabilities off the output. With a layout among the inputs, the backbone
runs on the layout's rows, only the places that predict a scored token are handed to TRL's own
fused head, and its outputs are put where the trainer expects them.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from trl.trainer.utils import FusedCausalLMOutput

from studio.models.compat.transformers_internals import attention_of
from studio.models.image_features.families import FAMILIES, FULL, blocks_of, windows_of
from studio.models.image_features.image_encoder import as_outputs
from studio.training.fast_path.attention_masks import attention_masks
from studio.training.fast_path.shared_prompt_layout import Layout

FEATURES = "features"
PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


class LayoutForward:
    """Replaces the forward of a model that already has TRL's fused head."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.forward = model.forward
        self.keep: torch.Tensor | None = None
        self.hook = model.base_model.register_forward_hook(self._keep_scored)

        @functools.wraps(type(model).forward)  # `generate` looks at the signature
        def forward(*args: Any, **inputs: Any) -> Any:
            return self._call(*args, **inputs)

        model.forward = forward

    def remove(self) -> None:
        """Give the model its own forward back."""
        self.hook.remove()
        self.model.forward = self.forward

    def _call(self, *args: Any, layout: Layout | None = None, **inputs: Any) -> Any:
        if layout is None:
            return self.forward(*args, **inputs)
        shape = inputs["input_ids"].shape
        self.keep = layout["keep"]
        try:
            output = self.forward(
                **self._inputs(layout),
                shift_labels=layout["labels"][None],
                use_cache=False,
                fused_lm_head=True,
            )
        finally:
            self.keep = None
        return _scattered(output, layout["targets"], (shape[0], shape[1] - 1))

    def _inputs(self, layout: Layout) -> dict[str, Any]:
        inputs: dict[str, Any] = {"input_ids": layout["input_ids"]} | self._masks(layout)
        if "position_ids" in layout:
            first = FAMILIES[self.model.config.model_type].first
            inputs["position_ids"] = layout["position_ids"] + first
        if FEATURES in layout:
            wanted = layout[FEATURES][layout["wanted"]]
            inputs["mm_encoder_outputs"] = {"image": as_outputs(self.model, wanted)}
        return inputs

    def _masks(self, layout: Layout) -> dict[str, Any]:
        config, family = self.model.config, FAMILIES[self.model.config.model_type]
        text = config.get_text_config()
        if "segments" not in layout:
            types = ~layout["prefix"] if family.prefix else layout["slots"] >= 0
            named = {family.types: types.long()} if family.types else {}
            return {"attention_mask": layout["attention_mask"]} | named
        masks = attention_masks(
            layout,
            windows={FULL: None} if family.prefix else windows_of(text),
            blocks=(FULL,) if family.prefix else blocks_of(config),
            additive=self.model.dtype if attention_of(text) == "eager" else None,
        )
        one = len(masks) == 1 and not family.blocks
        return {"attention_mask": masks.popitem()[1] if one else masks}

    def _keep_scored(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if self.keep is not None:
            hidden = output.last_hidden_state
            output.last_hidden_state = hidden.flatten(0, 1)[self.keep][None]
        return output


def _scattered(
    output: FusedCausalLMOutput, targets: torch.Tensor, shape: tuple[int, int]
) -> FusedCausalLMOutput:
    size = shape[0] * shape[1]

    def spread(values: torch.Tensor | None) -> torch.Tensor | None:
        if values is None:
            return None
        empty = values.new_zeros(size)
        return empty.index_put((targets,), values.flatten()).view(shape)

    mask = torch.zeros(size, dtype=torch.bool, device=targets.device)
    mask[targets] = True
    fields = {name: spread(getattr(output, name)) for name in PER_TOKEN}
    return FusedCausalLMOutput(loss=output.loss, label_mask=mask.view(shape), **fields)
