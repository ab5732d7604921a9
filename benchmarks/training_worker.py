"""One trainer of `training.py`, in a process of its own so that its memory is its own.

Says when it is ready. Reads a line, fills its caches; reads a line for each step to take, trains
on the next batch; answers each with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import run_file
from studio.config.speed import SAVINGS
from studio.core.paths import Workspace
from studio.models.log_levels import quiet_libraries
from studio.runs.store import RunStore
from studio.training.planning.allocator_heap import return_freed_memory

OFF = dict.fromkeys(SAVINGS, "off")


class Clock:
    """Seconds spent in named parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def watch(self, module, name: str) -> None:
        """Add the forward passes of `module` to `name`."""
        began: list[float] = []
        module.register_forward_pre_hook(lambda *_: began.append(now()))

        def end(*_) -> None:
            self.seconds[name] += now() - began.pop()

        module.register_forward_hook(end)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = now()
        yield
        self.seconds[name] += now() - start


def now() -> float:
    """Seconds, after the device has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class Worker:
    """A trainer driven one optimizer step at a time."""

    def __init__(self, variant: str, settings: dict, workspace: Workspace) -> None:
        from studio.models.towers import find_towers
        from studio.training.model_setup import prepare_model
        from studio.training.run_rows import load_run_data
        from studio.training.trainers import build_trainer

        speed = {} if variant == "fast" else OFF
        config = run_file.parse(settings | {"speed": speed})
        self.paths = RunStore(workspace).create(config).paths
        trainable = prepare_model(config, workspace)
        base = trainable.loaded.model
        if variant == "frozen":
            _keep_vision_out_of_the_graph(base)
        data = load_run_data(config, workspace)
        self.clock = Clock()
        began = now()
        self.trainer = build_trainer(config, self.paths, trainable, data, [], workspace)
        self.setup = now() - began
        self.trainer.accelerator.prepare_model(self.trainer.model)
        _enable_checkpointing(self.trainer)
        towers = find_towers(base)
        self.clock.watch(base.get_submodule(towers.vision), "vision")
        self.clock.watch(base.get_submodule(towers.language), "language")
        _watch_head(self.clock)
        self.trainer.current_gradient_accumulation_steps = 1
        self.optimizer = self.trainer.create_optimizer()
        self.batches: Iterator | None = None

    def fill(self) -> dict[str, float]:
        """The stage before training, if there is one; its seconds by the clock and of the CPU.

        What the check of the first rows has cached is forgotten, so that all encoding counts.
        """
        from studio.training.fast_path.feature_filling import fill_cache

        cache = self.trainer.saving.cache if hasattr(self.trainer, "saving") else None
        if cache:
            cache.expansions.clear()
            for path in cache.folder.glob("*/*.bin"):
                path.unlink()
        began, worked = now(), time.process_time()
        if hasattr(self.trainer, "saving"):
            fill_cache(self.trainer, self.paths)
        self.clock.seconds.clear()
        return {"seconds": now() - began, "cpu": time.process_time() - worked}

    def step(self) -> dict[str, object]:
        """Train on the next row of the epoch."""
        self.clock.seconds.clear()
        began, worked = now(), time.process_time()
        with self.clock.part("preprocess"):
            batch = self._next()
        labels = batch.get("labels")
        tokens = None if labels is None else (labels != -100).sum()
        loss = self._train(batch, tokens)
        with self.clock.part("optimizer"):
            self.optimizer.step()
            self.optimizer.zero_grad()
        return {
            "loss": loss,
            "seconds": now() - began,
            "cpu": time.process_time() - worked,
            "parts": dict(self.clock.seconds),
        }

    def _train(self, batch: dict, tokens) -> float:
        accelerator = self.trainer.accelerator
        plain = accelerator.backward

        def timed(loss, **options) -> None:
            with self.clock.part("backward"):
                plain(loss, **options)

        accelerator.backward = timed
        try:
            with contextlib.redirect_stdout(sys.stderr):
                loss = self.trainer.training_step(self.trainer.model, batch, tokens)
        finally:
            accelerator.backward = plain
        return float(loss.detach())

    def _next(self) -> dict:
        for _ in range(2):
            if self.batches is not None:
                batch = next(self.batches, None)
                if batch is not None:
                    return batch
            self.batches = iter(self.trainer.get_train_dataloader())
        raise RuntimeError("there are no rows")


def _enable_checkpointing(trainer) -> None:
    """What `Trainer.train` does before its first step, when the run asks for it."""
    arguments = trainer.args
    if arguments.gradient_checkpointing:
        trainer.model.activation_checkpointing_enable(
            activation_checkpointing_kwargs=arguments.gradient_checkpointing_kwargs
        )


def _watch_head(clock: Clock) -> None:
    """Add what TRL's fused head computes, forward, to `head`."""
    from trl.trainer import utils

    plain = utils._ChunkedLogProbFunction

    class Timed:
        @staticmethod
        def apply(*arguments):
            with clock.part("head"):
                return plain.apply(*arguments)

    utils._ChunkedLogProbFunction = Timed


def _keep_vision_out_of_the_graph(model) -> None:
    import torch

    backbone = model.base_model
    backbone.get_image_features = torch.no_grad()(backbone.get_image_features)


def peak_bytes() -> int:
    """Most memory held: of the device, or of this process."""
    import torch

    if torch.cuda.is_available() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    variant, folder = sys.argv[1], Path(sys.argv[2])
    quiet_libraries()
    return_freed_memory()
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker(variant, settings, Workspace.locate(folder / variant))
    print(json.dumps({"setup": worker.setup, "base": peak_bytes()}), file=out)
    sys.stdin.readline()
    print(json.dumps(worker.fill()), file=out)
    for _ in sys.stdin:
        answer = worker.step() | {"peak": peak_bytes()}
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    main()
