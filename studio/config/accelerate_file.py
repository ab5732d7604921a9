"""What a configuration of accelerate asks of a run, and what bars a run from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import yaml_text
from studio.config.adapter import MOVES_WEIGHTS
from studio.config.run import RunConfig
from studio.core.errors import FieldProblem, first_line

ACCELERATE_ENGINE = "accelerate:"
FIELD = "launch.engine"
ZERO_3 = 3
SHARDING = {"FSDP": "FSDP", "DEEPSPEED": "DeepSpeed"}
MAKE_ONE = "Make one with `accelerate config --config_file FILE`, or use local."


@dataclass(frozen=True)
class AccelerateFile:
    """The part of such a file that a run depends on.

    Attributes:
        kind: Its `distributed_type`: NO, MULTI_GPU, FSDP, DEEPSPEED, …
        splits_weights: Whether every process holds a part of the weights only.
    """

    kind: str
    splits_weights: bool


def read_accelerate_file(path: Path) -> AccelerateFile:
    """Read a configuration file of `accelerate config`.

    Raises:
        ValueError: It is not there, or not such a file; the message is a sentence.
    """
    try:
        values = yaml_text.read(path)
    except FileNotFoundError:
        raise ValueError(f"There is no file {path}.") from None
    except (OSError, yaml_text.YamlError) as error:
        raise ValueError(f"{path} cannot be read: {first_line(error)}.") from None
    if not isinstance(values, dict) or "distributed_type" not in values:
        raise ValueError(f"{path} is no configuration of accelerate: it has no distributed_type.")
    kind = str(values["distributed_type"]).upper()
    return AccelerateFile(kind, kind == "FSDP" or _zero_stage(values) == ZERO_3)


def _zero_stage(values: dict[str, Any]) -> int | None:
    settings = values.get("deepspeed_config")
    stage = settings.get("zero_stage") if isinstance(settings, dict) else None
    return int(str(stage)) if str(stage).isdigit() else None


def accelerate_problems(config: RunConfig, device: str | None = None) -> Iterator[FieldProblem]:
    """Say why the run cannot go as its accelerate file says; nothing for other engines.

    Args:
        device: What is trained on; None leaves out what depends on it.
    """
    engine = config.launch.engine
    if not engine.startswith(ACCELERATE_ENGINE):
        return
    path = Path(engine.removeprefix(ACCELERATE_ENGINE))
    try:
        file = read_accelerate_file(path)
    except ValueError as error:
        yield FieldProblem(FIELD, str(error), MAKE_ONE)
        return
    name = SHARDING.get(file.kind)
    if file.kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        yield FieldProblem(
            FIELD,
            f"{path} asks for DeepSpeed, and the package deepspeed is not installed.",
            "Run `pip install deepspeed`, or choose FSDP or plain data parallelism in "
            "`accelerate config`.",
        )
    if name and device == "cpu":
        yield FieldProblem(
            FIELD,
            f"{path} asks for {name}, which spreads a model over GPUs, and there is none here: "
            "accelerate would train without it and not say so.",
            "Use local, with launch.processes for several processes on the CPU.",
        )
    if file.splits_weights:
        yield from _whole_weights_wanted(config, name or file.kind)


def accelerate_cautions(config: RunConfig) -> Iterator[str]:
    """Say where the plan counts more than each device will need; nothing for other engines."""
    engine = config.launch.engine
    if not engine.startswith(ACCELERATE_ENGINE):
        return
    try:
        file = read_accelerate_file(Path(engine.removeprefix(ACCELERATE_ENGINE)))
    except ValueError:
        return  # refused by `accelerate_problems`
    if file.splits_weights:
        name = SHARDING.get(file.kind, file.kind)
        yield (
            f"{name} spreads the weights over processes: each device needs less than this plan, "
            "which counts them whole."
        )


def _whole_weights_wanted(config: RunConfig, name: str) -> Iterator[FieldProblem]:
    if config.model.quantization != "none":
        yield FieldProblem(
            "model.quantization",
            f"{name} cannot split weights of 8 or 4 bits as they are loaded here.",
            "Use none, or local with launch.processes: each GPU then holds the quantized model.",
        )
    adapter = config.adapter
    fresh = adapter if adapter and adapter.continue_from is None else None
    if fresh and fresh.init == "eva":
        yield FieldProblem(
            "adapter.init",
            f"eva reads rows with the whole model before training; {name} splits it.",
            "Use default.",
        )
    if fresh and fresh.init in MOVES_WEIGHTS:
        yield FieldProblem(
            "adapter.init",
            f"{fresh.init} is saved as plain LoRA at the end, which needs whole weights; {name} "
            "splits them.",
            "Use default.",
        )
