"""The stage before training in which the images that are not cached yet are encoded."""

from __future__ import annotations

import time
from collections.abc import Iterator

from datasets import Dataset

from studio.paths import RunPaths
from studio.runs import control
from studio.runs.events import EventLog
from studio.runs.status import update_status
from studio.train.fast.images import AT_ONCE
from studio.train.fast.refs import ImageRef
from studio.train.fast.trainers import FastTrainer

STAGE = "caching images"
HEARTBEAT = 1.0


def fill_cache(trainer: FastTrainer, paths: RunPaths) -> int:
    """Encode what the cache lacks; images encoded. Each process of a run does its share.

    A request to stop ends it early: what is missing is encoded when a batch needs it.
    """
    cache = trainer.saving.cache if trainer.saving else None
    if cache is None:
        return 0
    args = trainer.args
    waiting = [image for image in _distinct(trainer) if not cache.holds(image.key)]
    mine = waiting[args.process_index :: args.world_size]
    if mine:
        EventLog(paths.events).append("stage", stage=STAGE, images=len(waiting))
    done = 0
    report = _Reporter(paths, len(mine))
    for start in range(0, len(mine), AT_ONCE):
        if cache.full or control.requested(paths) in ("stop", "stop_now"):
            break
        done += trainer.keep(mine[start : start + AT_ONCE])
        report(done)
    trainer.accelerator.wait_for_everyone()
    return done


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
            update_status(self.paths, stage=STAGE, step=done, total_steps=self.total)
