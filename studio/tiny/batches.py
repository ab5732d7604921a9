"""Batches of training conversations, drawn on the fly in a background process."""

from __future__ import annotations

import random

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import BatchFeature, Idefics3Processor

from studio.tiny.chart import sample_chart
from studio.tiny.conversation import conversation
from studio.tiny.draw import draw_chart

IGNORED = -100


class ConversationBatches(Dataset):
    """`steps` batches of `size` conversations; batch `i` depends on `seed` and `i` alone.

    A batch holds `input_ids`, `attention_mask` and `labels` of shape (size, tokens), and
    `pixel_values` of shape (size, 1, 3, side, side). Labels cover the answers, each with its
    end-of-utterance token and the newline after it.
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
        batch = self.processor(
            images=[[draw_chart(chart)] for chart in charts],
            text=texts,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        answers = answer_mask(batch["input_ids"], self.processor)
        batch["labels"] = batch["input_ids"].masked_fill(~answers, IGNORED)
        return batch


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
