"""The stage before training in which the images that are not cached yet are encoded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from studio.core.paths import RunPaths
from studio.models.image_features.feature_cache import FeatureCache
from studio.models.image_features.image_encoder import AT_ONCE
from studio.models.image_features.lazy_images import ImageRef
from studio.runs.control import command_file
from studio.runs.event_log import EventLog
from studio.runs.status import CACHING, update_status
from studio.training.fast_path.collator import BatchImages
from studio.training.fast_path.fast_trainers import FastTrainer

HEARTBEAT = 1.0


def fill_cache(trainer: FastTrainer, paths: RunPaths) -> int:
    """Encode what the cache lacks; images encoded. Each process of a run does its share.

    A request to stop ends it early: what is missing is encoded when a batch needs it.
    """
    done = 0
    if trainer.saving and trainer.saving.cache:
        done = _fill(trainer, trainer.saving.cache, paths)
    trainer.accelerator.wait_for_everyone()
    return done


def record_hits(trainer: FastTrainer, paths: RunPaths) -> None:
    """Say in the run's events how often the caches were asked and had the answer."""
    saving = trainer.saving
    if saving is None:
        return
    found: dict[str, float | str] = {}
    if saving.cache:
        found |= {"features": round(saving.cache.hits.rate, 4), "features_full": saving.cache.full}
    if saving.reference:
        found["reference"] = round(saving.reference.hits.rate, 4)
    if found:
        EventLog(paths.events).append("cache_hits", **found)


def _fill(trainer: FastTrainer, cache: FeatureCache, paths: RunPaths) -> int:
    rank, processes = trainer.args.process_index, trainer.args.world_size
    missing = [
        image
        for number, image in enumerate(_distinct(trainer))
        if number % processes == rank and not cache.holds(image.key)
    ]
    if missing:
        EventLog(paths.events).append("stage", stage=CACHING, images=len(missing))
    report, done = _Reporter(paths, len(missing)), 0
    for images in _preprocessed(trainer, missing):
        if cache.full or command_file.requested(paths) in ("stop", "stop_now"):
            break
        trainer.features(images)
        done += len(images.refs)
        report(done)
    cache.hits.clear()
    return done


def _preprocessed(trainer: FastTrainer, missing: Sequence[ImageRef]) -> Iterable[BatchImages]:
    """Images a few at a time, made ahead by as many processes as training has for that."""
    arguments = trainer.args
    workers = arguments.dataloader_num_workers if len(missing) > AT_ONCE else 0
    return DataLoader(
        missing,
        batch_size=AT_ONCE,
        collate_fn=trainer.on.collator.images_of,
        num_workers=workers,
        prefetch_factor=arguments.dataloader_prefetch_factor if workers else None,
        pin_memory=arguments.dataloader_pin_memory,
        generator=torch.Generator(),  # the order of training does not depend on this stage
    )


def _distinct(trainer: FastTrainer) -> Iterator[ImageRef]:
    seen: set[str] = set()
    for dataset in (trainer.train_dataset, trainer.eval_dataset):
        if not isinstance(dataset, Dataset):
            continue
        for row in dataset:
            for image in row["images"]:
                if image.key not in seen:
                    seen.add(image.key)
                    yield image


class _Reporter:
    def __init__(self, paths: RunPaths, total: int) -> None:
        self.paths, self.total, self.last = paths, total, 0.0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self.last >= HEARTBEAT or done == self.total:
            self.last = now
            update_status(self.paths, stage=CACHING, stage_done=done, stage_total=self.total)
