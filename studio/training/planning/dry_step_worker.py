"""The process of a dry step: `python -m studio dry-step`, a run file on standard input."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, TrainerCallback
from transformers.trainer_utils import set_seed

from studio.config import RunConfig, run_file
from studio.config.job_flavors import sent_elsewhere
from studio.core.child_server import encode_error
from studio.core.errors import ConfigError, FieldProblem, ModelError, StudioError
from studio.core.paths import RunPaths, Workspace
from studio.models.devices import pick_device
from studio.models.log_levels import quiet_libraries
from studio.models.model_location import model_path
from studio.models.model_source import has_processor, load_config
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.training.model_setup import prepare_model
from studio.training.planning.allocator_heap import return_freed_memory
from studio.training.planning.device_memory import CUDA_CONTEXT
from studio.training.planning.dry_step import Measured
from studio.training.planning.dry_step_cache import remember
from studio.training.planning.memory_estimate import exchanged
from studio.training.planning.preflight_plan import preflight
from studio.training.run_rows import RunData
from studio.training.trainers import build_trainer

NOT_HERE = FieldProblem(
    "launch.engine",
    "A dry step runs on this machine, and this run is sent elsewhere.",
    "Use local to measure it here.",
)
STEPS, MOST_ACCUMULATION = 2, 2
CLEAR_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def main(workspace: Workspace) -> None:
    """Answer on standard output with one line of JSON."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    quiet_libraries()
    return_freed_memory()
    try:
        answer = dry_step(run_file.parse(json.load(sys.stdin)), workspace)
    except StudioError as error:
        answer = {"error": encode_error(error)}
    out.write(json.dumps(answer) + "\n")
    out.flush()


def dry_step(config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Train two steps; return `peak` (bytes, None when memory ran out) and `seconds_per_step`.

    Raises:
        InputError: The run cannot start.
    """
    if sent_elsewhere(config):
        raise ConfigError([NOT_HERE])
    if not has_processor(config.model):
        raise ModelError(
            f"{config.model.id} has no processor, so no real batch can be made.",
            remedy="Put the processor's files beside config.json.",
            field="model.id",
        )
    found = preflight(config, workspace)
    accumulation = min(config.accumulation, MOST_ACCUMULATION)
    with with_weights(config) as ready, tempfile.TemporaryDirectory() as folder:
        small = _two_steps(ready, found.batch.size, accumulation)
        data = _repeated(found.data, found.numbers, STEPS * small.batch.total)
        try:
            peak, seconds = _train(small, data, workspace, Path(folder))
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            measured = Measured(None, None)
        else:
            # The batches of all passes of a step are held at once; those left out are added.
            peak += found.inputs * (config.accumulation - accumulation)
            # Half of the planned gradients, where processes exchange them; else none.
            peak += exchanged(config, found.plan.counted.gradients // 2)
            measured = Measured(peak, seconds * config.accumulation / accumulation)
    remember(config, found.plan, measured, workspace)
    return asdict(measured)


@contextmanager
def with_weights(config: RunConfig) -> Iterator[RunConfig]:
    """`config` with a model that has weights: its own, or random ones of the same shapes."""
    folder = Path(model_path(config.model.id))
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        yield config
        return
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        model = AutoModelForImageTextToText.from_config(load_config(config.model))
        model.save_pretrained(place)
        del model
        yield config.model_copy(
            update={"model": config.model.model_copy(update={"id": place, "revision": None})}
        )


def _two_steps(config: RunConfig, size: int, accumulation: int) -> RunConfig:
    values = config.model_dump(mode="json")
    values["batch"] |= {"per_device": size, "total": size * accumulation}
    values["schedule"] |= {
        "epochs": 1,
        "max_steps": STEPS,
        "log_every": 1,
        "save_every": 10**6,
        "early_stopping": None,
    }
    values["launch"] |= {"processes": 1, "engine": "local"}
    values["data"]["evaluation"] = None
    values["report_to"], values["push_to_hub"] = [], None
    if values["adapter"] and values["adapter"]["init"] == "eva":  # its start takes no more memory
        values["adapter"]["init"] = "default"
    return run_file.parse(values)


def _repeated(data: RunData, numbers: list[int], count: int) -> RunData:
    rows = (numbers * (count // len(numbers) + 1))[:count]
    return RunData(replace(data.train, dataset=data.train.dataset.select(rows), used=count), None)


class Stopwatch(TrainerCallback):
    """Seconds of every optimizer step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.began = 0.0

    def on_step_begin(self, args, state, control, **_: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, args, state, control, **_: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def _train(
    config: RunConfig, data: RunData, workspace: Workspace, folder: Path
) -> tuple[int, float]:
    set_seed(config.schedule.seed)
    device = pick_device()
    trainable = prepare_model(config, workspace)
    watch = Stopwatch()
    paths = RunPaths(folder)
    _forget_peak(device)  # building the trainer counts: the fast path is checked on the stock path
    trainer = build_trainer(config, paths, trainable, data, [watch], workspace)
    trainer.train()
    return _peak(device), watch.seconds[-1]


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        CLEAR_PEAK.write_text("5")
    except OSError:
        return


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) + CUDA_CONTEXT
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
