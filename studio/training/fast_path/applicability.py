"""Which parts of the fast path apply to a run, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from studio.config import RunConfig
from studio.config.speed import SpeedConfig
from studio.models.compat.transformers_internals import attention_of
from studio.models.image_features.cache_key import REF
from studio.models.image_features.families import FAMILIES, MASKS, windows_of
from studio.models.towers import Towers, find_towers

WORDS = {
    "share_images": "each image encoded once",
    "share_prompts": "shared prompts",
    "cache_features": "feature cache",
    "cache_reference": "reference cache",
}
FLAGS = tuple(WORDS)


@dataclass(frozen=True)
class PathDecision:
    """Whether one part is used, with the reason."""

    on: bool
    reason: str = ""

    def __str__(self) -> str:
        mark = "✓" if self.on else "✗"
        return f"{mark} {self.reason}".strip()


@dataclass(frozen=True)
class FastPath:
    """What a run saves."""

    features: PathDecision
    prompts: PathDecision
    cache: PathDecision
    reference: PathDecision

    @classmethod
    def off(cls, reason: str) -> FastPath:
        """Nothing saved, for one reason."""
        return cls(*(PathDecision(False, reason) for _ in range(4)))

    @property
    def named(self) -> dict[str, PathDecision]:
        """The parts by the name of their setting."""
        return dict(
            zip(FLAGS, (self.features, self.prompts, self.cache, self.reference), strict=True)
        )

    def __str__(self) -> str:
        reasons = {decision.reason for decision in self.named.values()}
        if not self.features.on and len(reasons) == 1:
            return f"Fast path {self.features}."
        parts = [f"{WORDS[name]} {decision}" for name, decision in self.named.items()]
        return f"Fast path: {', '.join(parts)}."


def all_off(speed: SpeedConfig) -> bool:
    """Return whether the run asks for the stock trainers exactly."""
    return speed.all_off


def choose(config: RunConfig, model: PreTrainedModel, sharded: str = "") -> FastPath:
    """Decide for `model`, the base model as it will be trained.

    Whether the feature cache pays is decided later, when its size is known.

    Args:
        sharded: What spreads the weights over processes, so that no part runs alone; or nothing.
    """
    speed = config.speed
    obstacle = f"because {sharded} spreads the weights over processes" if sharded else ""
    obstacle = obstacle or _obstacle(model)
    features = _decide(speed.share_images, obstacle)
    needs = "" if features.on else "because it needs images encoded apart"
    return FastPath(
        features=features,
        prompts=_decide(speed.share_prompts, needs or _prompt_obstacle(model)),
        cache=_decide(speed.cache_features, needs),
        reference=_reference(config, needs),
    )


def _decide(flag: str, obstacle: str) -> PathDecision:
    if flag == "off":
        return PathDecision(False, "because it is switched off")
    return PathDecision(not obstacle, obstacle)


def _reference(config: RunConfig, needs: str) -> PathDecision:
    if config.method != "dpo":
        return PathDecision(False, "because SFT has no reference")
    return _decide(config.speed.cache_reference, needs)


def _obstacle(model: PreTrainedModel) -> str:
    """Why the features of an image are not a constant that can be handed to the model."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        return f"because {kind} is not among the families it is proved for"
    text = model.config.get_text_config()
    if hasattr(text, "output_router_logits") and getattr(text, "router_aux_loss_coef", False):
        return "because the loss of the experts' router counts every token of a batch"
    towers = find_towers(model)
    for name, parameter in model.named_parameters():
        if towers.of(name) not in ("vision", "projector"):
            continue
        if parameter.requires_grad:
            return f"because the {towers.of(name)} is trained"
        if REF in name.split("."):
            return f"because the reference has a {towers.of(name)} of its own"
    if _drops(model, towers):
        return "because the vision tower has dropout"
    return ""


def _prompt_obstacle(model: PreTrainedModel) -> str:
    backend = attention_of(model.config.get_text_config())
    if backend not in MASKS:
        return f"because {backend} attention takes no masks of its own"
    windows = windows_of(model.config.get_text_config())
    if not windows:
        return "because not every layer is attention over tokens"
    if FAMILIES[model.config.model_type].grid and any(windows.values()):
        return "because some layers see a window and positions have three axes"
    return ""


def _drops(model: PreTrainedModel, towers: Towers) -> bool:
    settings = getattr(model.config, "vision_config", None)
    inside = any(
        isinstance(module, nn.Dropout) and module.p > 0
        for name, module in model.named_modules()
        if towers.of(name) in ("vision", "projector")
    )
    return inside or getattr(settings, "attention_dropout", 0.0) > 0
