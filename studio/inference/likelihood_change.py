"""How much likelier an adapter makes each token of an answer than its base model does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from studio.inference.token_text import TokenText


def change_per_piece(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: dict[str, Any],
    answer: str,
    activate: Callable[[bool], None],
) -> list[tuple[str, float]]:
    """Return the answer in pieces, each with log p(adapter) - log p(base) of its tokens, in nats.

    A piece is a token, or the tokens of one character.

    Args:
        inputs: Model inputs of batch size 1 that end where the answer begins.
        activate: Makes the model answer with (True) or without its adapter.
    """
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if not ids:
        return []
    inputs = _continued(inputs, ids)
    activate(True)
    adapted = _log_probs(model, inputs, ids)
    activate(False)
    changes = (adapted - _log_probs(model, inputs, ids)).tolist()
    pieces: list[tuple[str, float]] = []
    text, change = TokenText(tokenizer), 0.0
    for token, difference in zip(ids, changes, strict=True):
        change += difference
        if piece := text.add(token):
            pieces.append((piece, round(change, 4)))
            change = 0.0
    if rest := text.rest():
        pieces.append((rest, round(change, 4)))
    return pieces


def _continued(inputs: dict[str, Any], ids: list[int]) -> dict[str, Any]:
    shape = inputs["input_ids"].shape
    made = {
        name: pad(value, (0, len(ids)))
        if isinstance(value, torch.Tensor) and value.shape == shape
        else value
        for name, value in inputs.items()
    }
    made["input_ids"][0, shape[1] :] = torch.tensor(ids, device=made["input_ids"].device)
    made["attention_mask"][0, shape[1] :] = 1
    return made


@torch.inference_mode()
def _log_probs(model: PreTrainedModel, inputs: dict[str, Any], ids: list[int]) -> torch.Tensor:
    logits = model(**inputs, logits_to_keep=len(ids) + 1).logits[0, -len(ids) - 1 : -1].float()
    wanted = torch.tensor(ids, device=logits.device)
    return logits.log_softmax(-1).gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
