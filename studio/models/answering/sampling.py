"""Drawing tokens: each answer by a generator of its own, so that its neighbours change nothing.

A draw's random numbers depend on its seed, the prompt and which of the prompt's answers it is,
neither on the batch it is computed in nor on what was drawn before. The token is the one at which
the running sum of the probabilities, likeliest first, passes the number (inverse transform
sampling); nucleus sampling (Holtzman et al. 2020, "The curious case of neural text degeneration")
keeps the likeliest tokens that together reach `top_p`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import LogitsProcessor

from studio.models.answering.sampling_settings import GREEDY, Draw


def draw_tokens(
    logits: torch.Tensor,
    draws: Sequence[Draw | None],
    generators: Sequence[np.random.Generator | None],
) -> torch.Tensor:
    """Return a token for each row of `logits` (rows, vocabulary); rows without a draw are greedy."""
    tokens = logits.argmax(-1)
    drawn = [
        (row, draw, generator.random())
        for row, (draw, generator) in enumerate(zip(draws, generators, strict=True))
        if draw is not None and generator is not None and draw.temperature > GREEDY
    ]
    if not drawn:
        return tokens
    hot = [row for row, _, _ in drawn]
    heat = torch.tensor([draw.temperature for _, draw, _ in drawn], device=logits.device)
    least = torch.tensor([draw.top_p for _, draw, _ in drawn], device=logits.device)
    numbers = [number for _, _, number in drawn]
    probabilities = (logits[hot].float() / heat[:, None]).softmax(-1)
    ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    ordered = torch.where(before < least[:, None], ordered, torch.zeros_like(ordered))
    sums = ordered.double().cumsum(-1)
    wanted = torch.tensor(numbers, dtype=torch.double, device=logits.device) * sums[:, -1]
    index = (sums <= wanted[:, None]).sum(-1).clamp(max=sums.shape[-1] - 1)
    tokens[hot] = places.gather(-1, index[:, None])[:, 0]
    return tokens


class DrawnTokens(LogitsProcessor):
    """Lets a model's own `generate` take the tokens that `draw_tokens` draws; it must be greedy."""

    def __init__(self, draws: Sequence[Draw], streams: Sequence[int]) -> None:
        self._draws = draws
        self._generators = [np.random.default_rng(stream) for stream in streams]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        tokens = draw_tokens(scores, self._draws, self._generators)
        drawn = torch.full_like(scores, float("-inf"))
        return drawn.scatter(1, tokens[:, None], 0.0)
