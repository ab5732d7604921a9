"""What is left alone, and learning rates of their own: by part of the model, and LoRA+."""

from __future__ import annotations

import math
from itertools import groupby

from transformers import PreTrainedModel, Trainer

from studio.config import RunConfig
from studio.core.errors import ModelError
from studio.models.towers import find_towers

HIGH_FOR_DPO = 5e-5
LARGE = 1e9
"""Parameters of the smallest models that published recipes of DPO with LoRA are for."""

_PREFIX = "base_model.model."
_OUTPUT = ".lora_B."


def freeze_towers(model: PreTrainedModel, config: RunConfig) -> None:
    """Switch off the gradients of the parts in `optimizer.freeze`; only without an adapter.

    Raises:
        ModelError: Nothing is left that could be trained.
    """
    frozen = config.optimizer.freeze
    if config.adapter is not None or not frozen:
        return
    towers = find_towers(model)
    for name, parameter in model.named_parameters():
        if towers.of(name) in frozen:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(
            f"With {', '.join(frozen)} frozen, this model has nothing left to train.",
            remedy="Leave out one part; its head may share the weights of the language model.",
            field="optimizer.freeze",
        )


def high_rate(config: RunConfig, parameters: int) -> list[str]:
    """Return a sentence for the plan when the rate is high for DPO with LoRA on a model of that
    size.
    """
    rate, most = config.optimizer.learning_rate, highest_dpo_rate(parameters)
    if config.method != "dpo" or config.adapter is None or rate <= most:
        return []
    return [
        f"A learning rate of {rate:g} is high for DPO with LoRA: 5e-6 to 1e-5 is usual for large "
        f"models, and {most:.1g} is much for one of {parameters / 1e6:,.0f} million parameters."
    ]


def highest_dpo_rate(parameters: int) -> float:
    """Return the learning rate from which DPO with LoRA breaks models of that many parameters.

    Adam moves every weight by about the rate, so an output that sums over a layer's width moves by
    width times rate: what a model bears falls with its width (Yang et al. 2022, "Tensor Programs
    V"), and the width grows with the square root of the parameters. Above a billion, recipes agree
    on 5e-6 to 1e-5 whatever the size, so nothing is taken off there.
    """
    return HIGH_FOR_DPO * max(1.0, math.sqrt(LARGE / parameters))


def own_rates(config: RunConfig) -> bool:
    """Return whether some weights learn at another rate than the rest."""
    ratio = config.adapter.lora_plus_ratio if config.adapter else None
    return bool(config.optimizer.tower_rates or ratio)


def set_rates(trainer: Trainer, config: RunConfig) -> None:
    """Make the trainer's optimizer, and split its groups by learning rate.

    A part's rate replaces the run's; LoRA+ multiplies the rate of every B matrix by its ratio
    (Hayou et al. 2024, η_B = λ·η_A). The schedule moves all rates together. Nothing is done for
    a run with one rate.

    Raises:
        ModelError: A part has a rate but no trainable weight.
    """
    if not own_rates(config):
        return
    trainer.create_optimizer()
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    rate_of = _Rates(trainer.model, config)
    groups = []
    for group in trainer.optimizer.param_groups:
        rated = [(rate_of(names[id(parameter)]), parameter) for parameter in group["params"]]
        rated.sort(key=lambda pair: pair[0])
        for rate, members in groupby(rated, key=lambda pair: pair[0]):
            groups.append({**group, "lr": rate, "params": [parameter for _, parameter in members]})
    trainer.optimizer.param_groups[:] = groups
    _ensure_used(config, rate_of.seen)


class _Rates:
    """The learning rate of a parameter by its name."""

    def __init__(self, model: PreTrainedModel, config: RunConfig) -> None:
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.tower_of = find_towers(base).of
        self.usual = config.optimizer.learning_rate
        self.own = config.optimizer.tower_rates
        self.ratio = (config.adapter.lora_plus_ratio if config.adapter else None) or 1.0
        self.seen: set[str] = set()

    def __call__(self, name: str) -> float:
        tower = self.tower_of(name.removeprefix(_PREFIX).replace(".base_layer", ""))
        self.seen.add(tower)
        rate = self.own.get(tower, self.usual)
        return rate * self.ratio if _OUTPUT in name else rate


def _ensure_used(config: RunConfig, trained: set[str]) -> None:
    unused = sorted(set(config.optimizer.tower_rates) - trained)
    if unused:
        raise ModelError(
            f"The {unused[0]} has a learning rate of its own, but nothing of it is trained.",
            remedy="Take the rate out, or let adapter.targets reach it.",
            field="optimizer.tower_rates",
        )
