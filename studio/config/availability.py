"""Which values of which settings cannot be used here, and why; read without loading any of them.

What a form needs: `unavailable(device)` gives, for each setting, the values to grey out with the
reason to show. `availability_problems` says the same of one run file, with the remedy.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from studio.config.accelerate_file import accelerate_problems
from studio.config.job_flavors import sent_elsewhere
from studio.config.model import ModelConfig
from studio.config.optimizer import OptimizerName
from studio.config.run import RunConfig
from studio.core.errors import FieldProblem

Device = Literal["cuda", "cpu", "mps"]
Reasons = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Requirement:
    """A package that some values of a setting need; `extra` is what pip calls it."""

    module: str
    extra: str = ""

    @property
    def missing(self) -> bool:
        """Whether it is not installed."""
        return not _installed(self.module)

    @property
    def package(self) -> str:
        """What pip calls it."""
        return self.extra or self.module

    @property
    def reason(self) -> str:
        """Why what needs it cannot be used, as the end of a sentence."""
        return f"needs the package {self.package}, which is not installed"


@cache
def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


BITSANDBYTES = Requirement("bitsandbytes")
# By a part of an optimizer's name, the package it needs; the first part found counts.
PACKAGES = (
    ("galore", Requirement("galore_torch", "galore-torch")),
    ("apollo", Requirement("apollo_torch", "apollo-torch")),
    ("lomo", Requirement("lomo_optim", "lomo-optim")),
    ("schedule_free", Requirement("schedulefree")),
    ("adamw_torch_8bit", Requirement("torchao")),
    ("adamw_torch_4bit", Requirement("torchao")),
    ("xla", Requirement("torch_xla")),
    ("npu", Requirement("torch_npu")),
    ("anyprecision", Requirement("torchdistx")),
    ("grokadamw", Requirement("grokadamw")),
    ("stable_adamw", Requirement("optimi", "torch-optimi")),
    *((part, BITSANDBYTES) for part in ("8bit", "bnb", "paged", "lion", "ademamix")),
)
OPTIMIZERS: dict[str, Requirement] = {
    name: need
    for name in get_args(OptimizerName)
    if (need := next((need for part, need in PACKAGES if part in name), None))
}
CUDA_ONLY = ("galore_adamw_8bit", "galore_adamw_8bit_layerwise", "adalomo", "stable_adamw")
CONTRADICTORY = {
    "galore_adafactor_layerwise": "is given arguments by transformers that exclude each other"
}
TRACKERS = {
    "trackio": (Requirement("trackio"),),
    "tensorboard": (Requirement("tensorboard"), Requirement("tensorboardX")),
    "wandb": (Requirement("wandb"),),
}
INITIALISATIONS = {
    "corda": "needs statistics of the layers over rows, collected beforehand in another pass",
    "loftq": "puts rounded weights in the place of the base's, so the adapter would fit no other "
    "copy of the model; nf4 with the default start comes close to it",
    "mica": "freezes half of the adapter and takes every layer apart again each time the adapter is "
    "loaded, for chat and evaluation too",
}
REMEDIES = {
    "model.quantization": "Use none.",
    "model.attention": "Use auto.",
    "model.dtype": "Use auto, float32 or bfloat16.",
    "adapter.init": "Use default, gaussian, orthogonal, pissa, olora or eva.",
    "optimizer.name": "Use adamw_torch or adafactor, which need nothing else.",
    "report_to": "Leave it out: every run is recorded here in any case.",
}
X86 = ("x86_64", "amd64")


def unavailable(device: Device | None = None) -> Reasons:
    """List by setting and value why it cannot be used on this machine.

    Args:
        device: What is trained on (`Plan.device` names it); None leaves out what depends on it.
    """
    elsewhere = CUDA_ONLY if device in ("cpu", "mps") else ()
    missing = {name: need.reason for name, need in OPTIMIZERS.items() if need.missing}
    found: Reasons = {
        "optimizer.name": CONTRADICTORY | dict.fromkeys(elsewhere, "needs a CUDA GPU") | missing,
        "report_to": {
            name: needs[0].reason
            for name, needs in TRACKERS.items()
            if all(need.missing for need in needs)
        },
        "adapter.init": dict(INITIALISATIONS),
        "model.quantization": _quantization(device),
        "model.attention": _attention(device),
        "model.dtype": {"float16": "overflows in training on a CPU"} if device == "cpu" else {},
    }
    return {field: reasons for field, reasons in found.items() if reasons}


def availability_problems(config: RunConfig, device: Device | None = None) -> list[FieldProblem]:
    """List what this machine lacks for `config`; nothing for a run that is sent elsewhere."""
    if sent_elsewhere(config):
        return [
            FieldProblem("adapter.init", f"{value} {reason}.", REMEDIES["adapter.init"])
            for value, reason in INITIALISATIONS.items()
            if config.adapter and config.adapter.init == value
        ]
    chosen: list[tuple[str, str]] = [("optimizer.name", config.optimizer.name)]
    chosen += [("report_to", tracker) for tracker in config.report_to]
    if config.adapter:
        chosen.insert(0, ("adapter.init", config.adapter.init))
    problems = [*model_problems(config.model, device), *_refused(chosen, device)]
    on_cpu = device == "cpu" and config.model.quantization == "int8"
    if on_cpu and config.adapter and config.adapter.dora:
        problems.append(
            FieldProblem(
                "adapter.dora",
                "DoRA with int8 loses the scales of the weights on a CPU.",
                "Use model.quantization: nf4 or none, or switch DoRA off.",
            )
        )
    return [*problems, *accelerate_problems(config, device)]


def model_problems(model: ModelConfig, device: Device | None = None) -> list[FieldProblem]:
    """List what this machine lacks for a model's settings."""
    chosen = {
        "model.quantization": model.quantization,
        "model.attention": model.attention,
        "model.dtype": model.dtype,
    }
    return _refused(chosen.items(), device)


def _refused(chosen: Iterable[tuple[str, str]], device: Device | None) -> list[FieldProblem]:
    reasons = unavailable(device)
    return [
        FieldProblem(field, f"{value} {reasons[field][value]}.", _remedy(field, value))
        for field, value in chosen
        if value in reasons.get(field, {})
    ]


def _remedy(field: str, value: str) -> str:
    needs = {"optimizer.name": OPTIMIZERS.get(value), "report_to": TRACKERS.get(value, (None,))[0]}
    need = needs.get(field)
    if field == "model.quantization" and BITSANDBYTES.missing:
        need = BITSANDBYTES
    if need is None or not need.missing:
        return REMEDIES[field]
    return f"Run `pip install {need.package}`, or: {REMEDIES[field]}"


def _quantization(device: Device | None) -> dict[str, str]:
    if BITSANDBYTES.missing:
        reason = BITSANDBYTES.reason
    elif device == "mps":
        reason = "is not available on Apple GPUs"
    elif device == "cpu" and platform.machine().lower() not in X86:
        reason = f"on a CPU needs x86-64; this one is {platform.machine()}"
    else:
        return {}
    return dict.fromkeys(("int8", "nf4", "fp4"), reason)


def _attention(device: Device | None) -> dict[str, str]:
    need = Requirement("flash_attn", "flash-attn")
    if device in ("cpu", "mps"):
        return {"flash_attention_2": "needs a CUDA GPU"}
    return {"flash_attention_2": need.reason} if need.missing else {}
