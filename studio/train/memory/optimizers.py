"""Bytes an optimizer keeps for the parameters it trains.

Per parameter: AdamW keeps two moments in the parameter's own format (Loshchilov & Hutter 2019);
8-bit optimizers keep one byte per moment and a 4-byte scale per block of 256, but leave tensors
below 4,096 elements in 32 bits (Dettmers et al. 2022; bitsandbytes `min_8bit_size`); Adafactor
keeps a row and a column per matrix (Shazeer & Stern 2018); Lion keeps one moment (Chen et al.
2023); plain SGD keeps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

MIN_8BIT = 4096
BLOCK = 256
MOMENTS = {"adamw": 2, "lion": 1, "sgd": 0, "ademamix": 3, "rmsprop": 1, "adagrad": 1, "nadam": 2}


def optimizer_bytes(name: str, parameters: Iterable[torch.nn.Parameter]) -> int:
    """State of the optimizer `name` (transformers' `optim`) over trainable `parameters`."""
    return sum(_state(name, parameter) for parameter in parameters if parameter.requires_grad)


def _state(name: str, parameter: torch.Tensor) -> int:
    count = parameter.numel()
    if name == "adafactor":
        return _factored(parameter)
    moments = next((n for kind, n in MOMENTS.items() if kind in name), 2)
    if "8bit" in name and count >= MIN_8BIT:
        return moments * (count + 4 * math.ceil(count / BLOCK))
    size = 4 if "bit" in name or name.startswith("paged") else parameter.element_size()
    return moments * count * size


def _factored(parameter: torch.Tensor) -> int:
    if parameter.dim() < 2:
        return 4 * parameter.numel()
    *rest, rows, columns = parameter.shape
    return 4 * math.prod(rest) * (rows + columns)
