"""Batches of training conversations, drawn on the fly in a background process."""

from __future__ import annotations

import random

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import BatchFeature, Idefics3Processor

from tools.tiny_vlm.chart import sample_chart
from tools.tiny_vlm.conversation import conversation
from tools.tiny_vlm.draw import draw_chart
from tools.tiny_vlm.patches import colour_shares

LONG = 12


class ConversationBatches(Dataset):
    """`steps` batches of `size` conversations; batch `i` depends on `seed` and `i` alone.

    A batch holds `input_ids`, `attention_mask` and `weights` of shape (size, tokens),
    `pixel_values` of shape (size, 1, 3, side, side), and `colours`, the `colour_shares` of each
    image. Weights are 0 outside the answers, each taken with its end-of-utterance token and the
    newline after it.
    """

    def __init__(self, processor: Idefics3Processor, steps: int, size: int, seed: int) -> None:
        self.processor = processor
        self.steps = steps
        self.size = size
        self.seed = seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> BatchFeature:
        rng = random.Random(f"{self.seed}-{step}")
        first = self.seed * 10_000_000 + step * self.size
        charts = [sample_chart("train", first + place) for place in range(self.size)]
        texts = [self.processor.apply_chat_template(conversation(chart, rng)) for chart in charts]
        images = [draw_chart(chart) for chart in charts]
        batch = self.processor(
            images=[[image] for image in images],
            text=texts,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        batch["weights"] = answer_weights(answer_mask(batch["input_ids"], self.processor))
        batch["colours"] = torch.stack([colour_shares(image) for image in images])
        return batch


def answer_weights(answers: torch.Tensor) -> torch.Tensor:
    """Weights that make a one-word answer count about as much as a long one.

    With plain averaging over tokens, yes and no would drown in what is read out. An answer of n
    tokens has the weight n / (n + 2), twice that when it is longer than `LONG`.

    Args:
        answers: (batch, tokens), true on the tokens of answers.
    """
    weights = torch.zeros(answers.shape)
    before = torch.zeros(answers.shape[0], 1, dtype=torch.int)
    edges = torch.diff(answers.int(), prepend=before, append=before)
    starts, ends = (edges == 1).nonzero().tolist(), (edges == -1).nonzero().tolist()
    for (row, start), (_, end) in zip(starts, ends, strict=True):
        length = end - start
        weights[row, start:end] = (2.0 if length > LONG else 1.0) / (length + 2)
    return weights


def answer_mask(input_ids: torch.Tensor, processor: Idefics3Processor) -> torch.Tensor:
    """Marks the tokens of assistant turns in a (batch, tokens) tensor of rendered conversations."""
    tokenizer = processor.tokenizer
    cue = tokenizer("Assistant:", return_tensors="pt")["input_ids"][0]
    mask = torch.zeros_like(input_ids, dtype=torch.bool)
    ends = (input_ids == tokenizer.eos_token_id).nonzero().tolist()
    for row, column in (input_ids.unfold(1, len(cue), 1) == cue).all(-1).nonzero().tolist():
        start = column + len(cue)
        end = next(place for at, place in ends if at == row and place >= start)
        mask[row, start : end + 2] = True
    return mask


def batch_loader(processor: Idefics3Processor, steps: int, size: int, seed: int) -> DataLoader:
    """Iterates over `ConversationBatches` in order, drawing ahead in one worker process."""
    return DataLoader(
        ConversationBatches(processor, steps, size, seed),
        batch_size=None,
        num_workers=1,
        prefetch_factor=4,
    )
