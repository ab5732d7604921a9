"""The fast path put to work on a trainer: decided, checked, and said in the run's events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset, concatenate_datasets

from studio.config import RunConfig
from studio.core.paths import RunPaths, Workspace
from studio.models.image_features.cache_key import features_fingerprint, reference_fingerprint
from studio.models.image_features.families import FAMILIES, feature_width
from studio.models.image_features.feature_cache import FeatureCache, prune
from studio.models.image_features.lazy_images import ImageRef, with_refs
from studio.models.image_features.row_token_ids import preprocess
from studio.models.load import Loaded
from studio.runs.event_log import EventLog
from studio.training.distributed import SHARDED
from studio.training.fast_path import cache_policy, self_check
from studio.training.fast_path.applicability import FastPath, PathDecision, choose
from studio.training.fast_path.batching import WHOLE_BATCH, Size, row_sizes
from studio.training.fast_path.collator import Collator, unknown
from studio.training.fast_path.fast_trainers import FastTrainer
from studio.training.fast_path.reference_logps import ReferenceCache

SAMPLED = 3


@dataclass
class Setup:
    """One trainer being prepared."""

    trainer: FastTrainer
    config: RunConfig
    loaded: Loaded
    paths: RunPaths
    workspace: Workspace
    difference: float | None = None

    def run(self) -> FastPath:
        """Switch on what applies, check it against the stock path, and record the choice."""
        kind = self.trainer.accelerator.distributed_type
        sharded = kind.value if kind in SHARDED else ""
        path = choose(self.config, self.trainer.bare_model, sharded)
        if path.features.on and (unfit := self._unfit_rows()):
            path = FastPath.off(unfit)
        if path.features.on:
            path = self._checked(self._switch_on(path))
        EventLog(self.paths.events).append(
            "fast_path",
            message=str(path),
            difference=self.difference,
            **{name: decision.on for name, decision in path.named.items()},
        )
        return path

    def _unfit_rows(self) -> str:
        """Why the rows cannot be computed apart, where it depends on them."""
        family = FAMILIES[self.trainer.bare_model.config.model_type]
        if family.alone and any(len(images) > 1 for images in self._images()):
            return "because an image beside others in its row has other features"
        if family.prefix and not all(self._images()):
            return "because a row without image is read otherwise beside rows that have one"
        return ""

    def _images(self) -> list[list[ImageRef]]:
        held = self.trainer.eval_dataset
        parts = [self.trainer.train_dataset, *([held] if isinstance(held, Dataset) else [])]
        rows = concatenate_datasets([part.select_columns(["images"]) for part in parts])
        return [row["images"] for row in with_refs(rows)]

    def _switch_on(self, path: FastPath) -> FastPath:
        cache = None
        if path.cache.on:
            cache = FeatureCache(self._features_folder(), self._budget)
            path = replace(path, cache=self._worth(cache))
        cache = cache if path.cache.on else None
        reference = self._reference() if path.reference.on else None
        self.trainer.use_fast_path(self._collator(path, cache), cache, reference, self._sizes())
        return path

    def _checked(self, path: FastPath) -> FastPath:
        found = self.difference = self_check.difference(self.trainer)
        allowed = self_check.allowed(self.trainer, found, self.loaded.dtype)
        if found <= allowed:
            return path
        self.trainer.use_stock_path()
        EventLog(self.paths.events).append(
            "warning",
            message=f"The fast path differs from the stock path by {found:.1e} on the first rows "
            f"(allowed: {allowed:.0e}), so the run uses the stock path.",
            remedy="The run is only slower; speed.share_images: off skips this check.",
        )
        return FastPath.off("because the first rows differed")

    def _collator(self, path: FastPath, cache: FeatureCache | None) -> Collator:
        return Collator.of(
            self.trainer.processing_class,
            self.trainer.bare_model.config,
            self.config.method,
            cache.expansion if cache else unknown,
            share=path.prompts.on,
        )

    def _sizes(self) -> list[Size] | None:
        batch = self.config.batch
        whole = self.config.method == "dpo" and WHOLE_BATCH & set(self.config.dpo.losses)
        if batch.per_device == 1 or self.config.accumulation == 1 or whole:
            return None
        return row_sizes(with_refs(self.trainer.train_dataset))

    def _worth(self, cache: FeatureCache) -> PathDecision:
        rows = self._images()
        distinct = {image.key: image for images in rows for image in images}
        sample = list(distinct.values())[:SAMPLED]
        processor, config = self.trainer.processing_class, self.trainer.bare_model.config
        known = [cache.expansion(i.key) or preprocess(processor, i).expansion for i in sample]
        tokens = [expansion.tokens.count(config.image_token_id) for expansion in known]
        each = max(tokens, default=0) * feature_width(config)
        epochs = self.config.epochs_over(len(self.trainer.train_dataset))
        need = cache_policy.ImageUse(
            images=len(distinct),
            uses=sum(map(len, rows)) * epochs / max(1, len(distinct)),
            bytes_each=each * self.trainer.bare_model.dtype.itemsize,
            present=sum(cache.holds(key) for key in distinct),
        )
        return cache_policy.decide(need, cache.folder, self._budget)

    @property
    def _budget(self) -> int:
        return int(self.config.speed.cache_gigabytes * cache_policy.GIB)

    def _features_folder(self) -> Path:
        folder = self.workspace.cache / "features"
        name = features_fingerprint(
            self.trainer.bare_model,
            self.trainer.processing_class,
            str(self.trainer.accelerator.mixed_precision),
            self.loaded.device.type,
        )
        if self.trainer.args.process_index == 0:
            prune(folder, self._budget, keep=folder / name)
        return folder / name

    def _reference(self) -> ReferenceCache:
        trainer = self.trainer
        name = reference_fingerprint(
            trainer.ref_model or trainer.model,
            trainer.processing_class,
            {
                "ld_alpha": trainer.ld_alpha,
                "autocast": str(trainer.accelerator.mixed_precision),
                "device": self.loaded.device.type,
            },
        )
        writer = f"{self.paths.run_id}-{trainer.args.process_index}"
        return ReferenceCache(self.workspace.cache / "reference" / name, writer)
