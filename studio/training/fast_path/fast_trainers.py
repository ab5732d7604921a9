"""TRL's trainers with work taken out of their inputs; their losses are TRL's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer
from trl import DPOTrainer, SFTTrainer

from studio.models.compat.transformers_internals import prepared
from studio.models.image_features.feature_cache import FeatureCache
from studio.models.image_features.image_encoder import encode
from studio.models.image_features.lazy_images import with_refs
from studio.models.image_features.row_token_ids import preprocess
from studio.training.fast_path.batching import Size, StepSampler
from studio.training.fast_path.collator import IMAGES, LAYOUT, BatchImages, Collator
from studio.training.fast_path.reference_logps import ReferenceCache
from studio.training.fast_path.shared_prompt_forward import FEATURES, LayoutForward


@dataclass
class Saving:
    """What a trainer works with while the fast path is on."""

    collator: Collator
    cache: FeatureCache | None
    reference: ReferenceCache | None
    forward: LayoutForward
    sizes: list[Size] | None


# A mixin: beside it stands one of TRL's trainers, whose attributes it uses.
Stock: Any = Trainer if TYPE_CHECKING else object


class FastTrainer(Stock):
    """Mixed into a trainer: turns batches of `Collator` into what its loss code expects."""

    saving: Saving | None = None
    data_collator: Any
    train_dataset: Any
    eval_dataset: Any

    def use_fast_path(
        self,
        collator: Collator,
        cache: FeatureCache | None,
        reference: ReferenceCache | None,
        sizes: list[Size] | None = None,
    ) -> None:
        """Switch on: from now on batches have layouts and no image is encoded twice.

        Args:
            sizes: Size of each training row, to sort the rows of a step by; None to keep order.
        """
        self._stock: tuple[Any, Any, Any] = (
            self.data_collator,
            self.train_dataset,
            self.eval_dataset,
        )
        forward = LayoutForward(self.bare_model)
        self.saving = Saving(collator, cache, reference, forward, sizes)
        self.data_collator = collator
        self.train_dataset = with_refs(self.train_dataset)
        if isinstance(self.eval_dataset, Dataset):
            self.eval_dataset = with_refs(self.eval_dataset)

    def use_stock_path(self) -> None:
        """Switch off: batches, model and losses are TRL's again."""
        self.on.forward.remove()
        self.data_collator, self.train_dataset, self.eval_dataset = self._stock
        self.saving = None

    @property
    def on(self) -> Saving:
        """What the fast path works with. Raises RuntimeError while it is off."""
        if self.saving is None:
            raise RuntimeError("The fast path is off.")
        return self.saving

    @property
    def bare_model(self) -> PreTrainedModel:
        """The model without adapters' and processes' wrappers."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args, **kwargs):
        if self.saving is not None and LAYOUT in inputs:
            inputs = self.computable(inputs)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def computable(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch whose images have become features."""
        images: BatchImages = batch[IMAGES]
        layout = batch[LAYOUT]
        if images.refs:
            layout = layout | {FEATURES: self.features(images)}
        rest = {name: value for name, value in batch.items() if name != IMAGES}
        return rest | {LAYOUT: layout}

    def features(self, images: BatchImages) -> torch.Tensor:
        """Return the features of a batch's images, one after the other: (features, hidden size)."""
        cache, device = self.on.cache, self.accelerator.device
        found: dict[str, Any] = {
            ref.key: cache.get(ref.key) if cache else None for ref in images.refs
        }
        missing = [ref for ref in images.refs if found[ref.key] is None]
        made = [images.made.get(r.key) or preprocess(self.processing_class, r) for r in missing]
        with self.accelerator.autocast():
            encoded = encode(self.bare_model, made)
        for ref, raw, features in zip(missing, made, encoded, strict=True):
            found[ref.key] = features
            if cache:
                cache.put(ref.key, raw, features)
        parts = [found[ref.key].to(device, non_blocking=True) for ref in images.refs]
        return torch.cat(parts)

    def collated(self, rows: int, skip: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return some `rows` rows on the fast path, and as TRL's collator makes them.

        They begin `skip` rows after the first that has an image, if one has.
        """
        collate, dataset, _ = self._stock
        chosen = self.first_rows(rows, skip)
        fast = self.on.collator([self.train_dataset[index] for index in chosen])
        stock = collate([dataset[index] for index in chosen])
        fast, stock = prepared(self, fast), prepared(self, stock)
        return FastTrainer.computable(self, fast), stock

    def first_rows(self, rows: int, skip: int = 0) -> list[int]:
        """Return the numbers of some `rows` rows, from `skip` after the first that has an image, if one
        has.
        """
        dataset = self._stock[1]
        named = with_refs(dataset.select_columns(["images"]))
        first = next((index for index, row in enumerate(named) if row["images"]), 0)
        return [(first + skip + index) % len(dataset) for index in range(rows)]

    def get_train_dataloader(self) -> DataLoader:
        loader = super().get_train_dataloader()
        if self.saving is not None and self.saving.sizes:
            rows = self.args.per_device_train_batch_size * self.args.world_size
            window = rows * self.args.gradient_accumulation_steps
            loader.set_sampler(StepSampler(loader.get_sampler(), window, self.saving.sizes))
        return loader


class FastSFTTrainer(FastTrainer, SFTTrainer):
    """`SFTTrainer` on the fast path."""


class FastDPOTrainer(FastTrainer, DPOTrainer):
    """`DPOTrainer` on the fast path, which also remembers the reference."""

    def computable(self, batch: dict[str, Any]) -> dict[str, Any]:
        keys, cache = batch[IMAGES].pairs, self.on.reference
        batch = super().computable(batch)
        if cache is None:
            return batch
        known = cache.get(keys)
        if known is None:
            known = self.compute_ref_log_probs(self.ref_model or self.model, batch)
            cache.put(keys, *known)
        chosen, rejected = (values.to(self.accelerator.device) for values in known)
        return batch | {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}

    reference_forward: LayoutForward | None = None

    def use_fast_path(self, *args: Any, **kwargs: Any) -> None:
        super().use_fast_path(*args, **kwargs)
        if self.ref_model is not None:  # a model of its own, when every weight is trained
            self.reference_forward = LayoutForward(self.accelerator.unwrap_model(self.ref_model))
        self.precompute_ref_logps = self.on.reference is not None

    def use_stock_path(self) -> None:
        super().use_stock_path()
        if self.reference_forward is not None:
            self.reference_forward.remove()
            self.reference_forward = None
        self.precompute_ref_logps = False
