"""Activations of one batch, counted by running the training step on the meta device.

What autograd keeps for the backward pass follows from the model's own code, its adapter, its
checkpointing and the fast path; nothing is assumed about the architecture. When a model's code
cannot run without values, its language model is counted alone, on embeddings, and its vision
tower by formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, ProcessorMixin
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling
from trl.trainer.utils import add_fused_lm_head

from studio.config import RunConfig
from studio.models.image_features.image_encoder import AT_ONCE, flat_features
from studio.models.image_features.lazy_images import image_ref
from studio.models.image_features.row_token_ids import Preprocessed
from studio.models.towers import find_towers
from studio.training.compat.trl_internals import head_chunk, head_chunk_of, in_place_head
from studio.training.fast_path.applicability import FastPath
from studio.training.fast_path.collator import IMAGES, LAYOUT, Collator, unknown
from studio.training.fast_path.shared_prompt_forward import FEATURES, LayoutForward
from studio.training.planning.tensor_meter import autocasting, metered, padding_seen
from studio.training.row_length import cut_length

IGNORED = -100
HALF = (torch.float16, torch.bfloat16)
TRACKED = ("log_probs", "mean_logits", "is_top1")
# Saved per patch of a ViT layer in units of its width: two norms, q, k, v, attention output,
# and four widths before and after the activation (Korthikanti et al. 2022, section 4.1, with
# fused attention and without dropout).
VISION_SAVED, VISION_TRANSIENT = 16, 10
# Saved per token of a language model's layer: two norms, q, k, v, attention output, its projection
# and the sum, each as wide as the layer; gate, up, activation and product, as wide as its MLP.
LANGUAGE_SAVED, MLP_SAVED = 8, 4


@dataclass(frozen=True)
class Traced:
    """Bytes of one forward and backward pass beyond the model's own.

    Attributes:
        saved: Kept for the backward pass when the forward pass ends.
        peak: Most at any moment.
        exact: Whether the whole model ran.
        inputs: Of the batch itself, as it comes from the collator.
    """

    saved: int
    peak: int
    exact: bool
    inputs: int = 0


@dataclass(frozen=True)
class Traceable:
    """A model on the meta device with its adapter, and the base under it.

    Attributes:
        quantized: Names of the base's layers that bitsandbytes will replace.
        device: Kind of the device that is planned for.
    """

    model: PreTrainedModel | PeftModel
    base: PreTrainedModel
    processor: ProcessorMixin | None
    quantized: frozenset[str] = frozenset()
    device: str = "cpu"

    @contextmanager
    def as_on_device(self) -> Iterator[None]:
        """The formats and the head of the device that is planned for."""
        with ExitStack() as stack:
            if self.base.dtype in HALF:
                layers = (self.base.get_submodule(name) for name in self.quantized)
                plain = [getattr(layer, "base_layer", layer) for layer in layers]
                stack.enter_context(autocasting(self.base.dtype, plain))
            if self.device == "cuda":
                stack.enter_context(in_place_head())
            yield


def trace(
    config: RunConfig, traceable: Traceable, rows: Sequence[dict[str, Any]], path: FastPath
) -> Traced:
    """Run one training step of `rows` without storage.

    Raises:
        RuntimeError: The model reads values it does not have.
    """
    model = traceable.model
    _prepare(config, model)
    add_fused_lm_head(traceable.base, outputs=TRACKED)
    make = _fast_step if path.features.on else _stock_step
    step, inputs = make(config, traceable, rows, path)
    # The fused head's buffer is as wide as its chunk even where the vocabulary is narrower; what
    # is never touched takes no memory.
    vocabulary = traceable.base.get_output_embeddings().weight.shape[0]
    chunk = min(head_chunk(), vocabulary)
    with (
        metered(model) as meter,
        traceable.as_on_device(),
        head_chunk_of(chunk),
    ):
        log_probs = step()
        saved = meter.now
        if config.method == "dpo" and not path.reference.on:
            adapter = model.disable_adapter() if isinstance(model, PeftModel) else nullcontext()
            with torch.no_grad(), adapter:
                step()
        log_probs.sum().backward()
    return Traced(saved, meter.peak, exact=True, inputs=inputs)


def trace_language(config: RunConfig, traceable: Traceable, rows: int, tokens: int) -> Traced:
    """Return the language model alone on `rows` of `tokens`, and the vision tower by formula."""
    model, base = traceable.model, traceable.base
    _prepare(config, model)
    width = base.get_input_embeddings().weight.shape[1]
    trained = any(p.requires_grad for p in base.get_input_embeddings().parameters())
    needs = trained or (config.batch.gradient_checkpointing and config.adapter is not None)
    with metered(model) as meter, traceable.as_on_device():
        embedded = torch.empty(
            (rows, tokens, width), dtype=base.dtype, device="meta", requires_grad=needs
        )
        output = base.get_decoder()(inputs_embeds=embedded, use_cache=False)
        saved = meter.now
        output.last_hidden_state.sum().backward()
    vision = _vision_bytes(config, base, rows)
    return Traced(saved + vision, meter.peak + vision, exact=False)


def guess_language(config: RunConfig, traceable: Traceable, rows: int, tokens: int) -> Traced:
    """Return everything by formula, for language models that do not run without values."""
    base = traceable.base
    settings = base.config.get_text_config()
    inner = getattr(settings, "intermediate_size", None) or 4 * settings.hidden_size
    inner = max(inner) if isinstance(inner, (list, tuple)) else inner
    layer = LANGUAGE_SAVED * settings.hidden_size + MLP_SAVED * inner
    layers = settings.num_hidden_layers
    if config.batch.gradient_checkpointing:
        widths = layers * settings.hidden_size + 2 * layer
    else:
        widths = (layers + 1) * layer
    saved = rows * tokens * widths * base.dtype.itemsize + _vision_bytes(config, base, rows)
    return Traced(saved, saved, exact=False)


def _prepare(config: RunConfig, model: nn.Module) -> None:
    model.train()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.empty_like(parameter)
    if config.batch.gradient_checkpointing:
        base = model.get_base_model() if isinstance(model, PeftModel) else model
        base.gradient_checkpointing_enable({"use_reentrant": False})
        if isinstance(model, PeftModel):
            model.enable_input_require_grads()


def _stock_step(
    config: RunConfig, traceable: Traceable, rows: Sequence[dict[str, Any]], path: FastPath
) -> tuple[Callable[[], torch.Tensor], int]:
    kind = (
        DataCollatorForVisionLanguageModeling
        if config.method == "sft"
        else DataCollatorForVisionPreference
    )
    collate = kind(traceable.processor, max_length=cut_length(config, traceable.base.config))
    batch = dict(collate([dict(row) for row in rows]))
    inputs = _bytes(batch)
    mask = batch.pop("completion_mask", None)
    labels = batch.pop("labels", None)
    if labels is None:
        labels = batch["input_ids"].masked_fill(mask == 0, IGNORED)
    for name, value in batch.items():
        if value.is_floating_point():
            batch[name] = value.to(traceable.base.dtype)

    def step() -> torch.Tensor:
        inside = {"labels": labels, "use_cache": False, "fused_lm_head": True}
        with padding_seen(batch["attention_mask"]):
            return traceable.model(**batch, **inside).log_probs

    return step, inputs


def _fast_step(
    config: RunConfig, traceable: Traceable, rows: Sequence[dict[str, Any]], path: FastPath
) -> tuple[Callable[[], torch.Tensor], int]:
    base = traceable.base
    share = path.prompts.on
    collator = Collator.of(traceable.processor, base.config, config.method, unknown, share=share)
    batch = collator(
        [dict(row) | {"images": [image_ref(i) for i in row["images"]]} for row in rows]
    )
    images, layout = batch.pop(IMAGES), batch.pop(LAYOUT)
    inputs = _bytes(batch) + sum(_bytes(made.inputs) for made in images.made.values())
    batch.pop("completion_mask", None)
    labels = batch.pop("labels", batch["input_ids"])
    LayoutForward(base)

    def step() -> torch.Tensor:
        inside = layout
        if images.refs:
            made = [images.made[ref.key] for ref in images.refs]
            inside = layout | {FEATURES: torch.cat(_encoded(base, made))}
        return traceable.model(
            **batch, layout=inside, labels=labels, use_cache=False, fused_lm_head=True
        ).log_probs

    return step, inputs


def _bytes(tensors: Mapping[str, Any]) -> int:
    return sum(t.nbytes for t in tensors.values() if isinstance(t, torch.Tensor))


def _encoded(base: PreTrainedModel, made: Sequence[Preprocessed]) -> list[torch.Tensor]:
    """Features as `fast.images.encode` makes them, from inputs that keep their values."""
    found: list[torch.Tensor] = []
    for start in range(0, len(made), AT_ONCE):
        batch = made[start : start + AT_ONCE]
        together = len({tuple(i.inputs["pixel_values"].shape) for i in batch}) == 1
        for group in [batch] if together else [[image] for image in batch]:
            inputs = {n: torch.cat([i.inputs[n] for i in group]) for n in group[0].inputs}
            inputs["pixel_values"] = inputs["pixel_values"].to(base.dtype)
            with torch.no_grad():
                found.append(
                    flat_features(base.base_model.get_image_features(**inputs, return_dict=True))
                )
    return found


def _vision_bytes(config: RunConfig, base: PreTrainedModel, rows: int) -> int:
    settings = getattr(base.config, "vision_config", None)
    width = getattr(settings, "hidden_size", None) or getattr(settings, "embed_dim", 0)
    size: Any = getattr(settings, "image_size", 384)
    patch: Any = getattr(settings, "patch_size", 14)
    size = size[0] if isinstance(size, (list, tuple)) else size
    patch = patch[0] if isinstance(patch, (list, tuple)) else patch
    patches = rows * (size // patch) ** 2
    layers: Any = getattr(settings, "num_hidden_layers", None) or getattr(settings, "depth", 24)
    towers = find_towers(base)
    trained = any(
        p.requires_grad and towers.of(name) in ("vision", "projector")
        for name, p in base.named_parameters()
    )
    kept = VISION_SAVED * layers if trained and not config.batch.gradient_checkpointing else 0
    return (patches or 0) * (width or 0) * base.dtype.itemsize * (kept + VISION_TRANSIENT)
