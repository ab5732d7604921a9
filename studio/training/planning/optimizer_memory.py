"""Bytes an optimizer keeps for the parameters it trains.

Per parameter: AdamW keeps two moments in the parameter's own format (Loshchilov & Hutter 2019);
8-bit optimizers keep one byte per moment and a 4-byte scale per block of 256, but leave tensors
below 4,096 elements in 32 bits (Dettmers et al. 2022; bitsandbytes `min_8bit_size`), 4-bit ones
half a byte and a scale per block of 128 (torchao); Adafactor and AdaLomo keep a row and a column
per matrix (Shazeer & Stern 2018); Lion keeps one moment (Chen et al. 2023), AdEMAMix and GrokAdamW
three; schedule-free ones keep the averaged weights in the place of the first moment (Defazio et
al. 2024); plain SGD and LOMO keep nothing. GaLore and APOLLO keep the moments of a matrix projected
to rank r, and the projection: of m × n, 2·r·max(m, n) + r·min(m, n) (Zhao et al. 2024, table 1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import torch
from torch import nn

from studio.config.setting_conflicts import LOW_RANK

MIN_8BIT = 4096
BLOCK, BLOCK_4BIT = 256, 128
RANK = 128
"""What transformers projects to (`optim_args` `rank`)."""

MOMENTS = {
    "schedule_free_sgd": 1,
    "grokadamw": 3,
    "ademamix": 3,
    "adalomo": 0,
    "lomo": 0,
    "adamw": 2,
    "lion": 1,
    "sgd": 0,
    "rmsprop": 1,
    "adagrad": 1,
}
"""Moments by what the name holds; the first that fits counts."""


def optimizer_bytes(
    name: str, parameters: Iterable[nn.Parameter], projected: Collection[int] = ()
) -> int:
    """Return the state of the optimizer `name` (transformers' `optim`) over trainable `parameters`.

    Args:
        projected: `id` of the matrices whose moments are kept at low rank.
    """
    return sum(
        _projected(name, parameter) if id(parameter) in projected else _state(name, parameter)
        for parameter in parameters
        if parameter.requires_grad
    )


def projected_weights(name: str, model: nn.Module, head: nn.Module | None) -> set[int]:
    """Return `id` of the matrices that the optimizer `name` projects: all linear layers but the
    head.
    """
    if not name.startswith(LOW_RANK):
        return set()
    layers = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    return {id(layer.weight) for layer in layers if layer is not head}


def _state(name: str, parameter: torch.Tensor) -> int:
    if "adafactor" in name or name == "adalomo":
        return _factored(parameter)
    return _moments(name) * _held(name, parameter.numel(), parameter.element_size())


def _moments(name: str) -> int:
    return next((count for kind, count in MOMENTS.items() if kind in name), 2)


def _held(name: str, count: int, size: int) -> int:
    """Bytes of one moment of `count` elements."""
    if "8bit" in name and count >= MIN_8BIT:
        return count + 4 * math.ceil(count / BLOCK)
    if "4bit" in name and count >= MIN_8BIT:
        return math.ceil(count / 2) + 4 * math.ceil(count / BLOCK_4BIT)
    wide = "bit" in name or name.startswith("paged")
    return count * (4 if wide else size)


def _projected(name: str, parameter: torch.Tensor) -> int:
    size, (short, long) = parameter.element_size(), sorted(parameter.shape)
    rank = min(RANK, short)
    if "adafactor" in name:
        return 4 * (rank + long) + rank * short * size
    return _moments(name) * _held(name, rank * long, size) + rank * short * size


def _factored(parameter: torch.Tensor) -> int:
    if parameter.dim() < 2:
        return 4 * parameter.numel()
    *rest, rows, columns = parameter.shape
    return 4 * math.prod(rest) * (rows + columns)
