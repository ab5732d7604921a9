"""Log-probabilities worked out by hand: one sequence at a time, from nothing but the model.

The trainers score padded batches of unlike rows, on two paths, through TRL's fused head. Here each
sequence is rendered as chat renders it, goes through the processor and the plain model alone, and
its log-probabilities are taken from the logits that an answer would be sampled from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from transformers import PreTrainedTokenizerBase

from studio.config import RunConfig
from studio.config.speed import SAVINGS
from studio.data.schema import Message, Part
from studio.inference.chat_inputs import as_template_message, build_inputs
from studio.models.image_features.families import FAMILIES
from studio.models.load import load_model
from studio.runs.store import RunStore
from studio.training.fast_path.self_check import IGNORED, NOT_INPUTS
from studio.training.model_setup import prepare_model
from studio.training.run_rows import load_run_data
from studio.training.trainers import build_trainer
from tests.families.trial import Bench

WITHOUT_TEXT_ROWS = ("paligemma",)
"""Kinds whose processor reads a question without image as an answer."""
ANSWERS = {"sft": ("completion",), "dpo": ("chosen", "rejected")}


@dataclass(frozen=True)
class Example:
    """One row: a question about some images, and its answers by the name of their column.

    Attributes:
        lead: Text before the images.
    """

    question: str
    images: tuple[str, ...]
    answers: Mapping[str, str]
    lead: str = ""

    @property
    def turn(self) -> Message:
        """The question as a turn of a conversation."""
        lead = (Part("text", self.lead),) if self.lead else ()
        images = (Part("image") for _ in self.images)
        return Message("user", (*lead, *images, Part("text", self.question)))

    def line(self, method: str) -> dict[str, Any]:
        """The row as a file holds it, in TRL's columns."""
        answers = {
            name: [{"role": "assistant", "content": self.answers[name]}] for name in ANSWERS[method]
        }
        return {"images": list(self.images), "prompt": [as_template_message(self.turn)], **answers}


def examples(folder: Path, several: bool, none: bool) -> list[Example]:
    """Rows as unlike as a family takes them; their pictures are written into `folder`.

    Args:
        several: One of the rows has two images.
        none: One of the rows has no image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(((40, 24), (24, 40), (32, 32))):
        image = Image.new("RGB", size, "white")
        ImageDraw.Draw(image).rectangle((4, 4, 14, 20), fill=("red", "blue", "green")[number])
        image.save(folder / f"{number}.png")
    pictures = [("0.png",), ("1.png", "2.png") if several else ("1.png",)]
    pictures += [()] if none else [("2.png",)]
    questions = ("What colour has the bar?", "Which one is taller, and by how much?", "Say hello.")
    leads = ("", "Look at this first, then answer: ", "")
    answers = (
        ("It is red.", "No"),
        ("The second", "They are all of the same height, as far as I can see."),
        ("Hello!", "Hello, how are you today?"),
    )
    return [
        Example(question, images, _named(*both), lead)
        for question, images, both, lead in zip(questions, pictures, answers, leads, strict=True)
    ]


def _named(better: str, worse: str) -> dict[str, str]:
    return {"chosen": better, "rejected": worse, "completion": better}


@dataclass(frozen=True)
class Scored:
    """Sequences, their prompts and what is scored of them, one after the other."""

    prompts: list[list[int]]
    tokens: list[list[int]]
    log_probs: list[torch.Tensor]


class ByHand:
    """One family's rows, scored by the trainers and by hand.

    Args:
        like: Has the model, and what it scored by hand, which is right for the same rows.
    """

    def __init__(
        self,
        bench: Bench,
        family: str,
        folder: Path,
        *,
        fast: bool,
        like: ByHand | None = None,
    ) -> None:
        self.bench, self.folder, self.fast = bench, folder, fast
        self.model_folder = bench.model(family)
        if like:
            self.loaded = like.loaded
        else:
            self.loaded = load_model(bench.config(self.model_folder, "sft").model)
            self.loaded.model.eval()
        kind = self.loaded.model.config.model_type
        self.proved = kind in FAMILIES
        alone = fast and self.proved and FAMILIES[kind].alone
        self.rows = examples(folder, several=not alone, none=kind not in WITHOUT_TEXT_ROWS)
        same = like is not None and like.rows == self.rows
        self._expected: dict[str, Scored] = like._expected if same else {}

    def scored(self, method: str) -> Scored:
        """Return what a trainer scores.

        Raises:
            LookupError: The fast path was wanted, and the trainer does not use it.
        """
        trainer = self._trainer(method)
        if self.fast and trainer.saving is None:
            raise LookupError("this trainer does not use the fast path")
        if self.fast:  # begins with the first row that has an image, which is the first
            made, stock = trainer.collated(len(self.rows))
        else:
            every = [trainer.train_dataset[number] for number in range(len(self.rows))]
            made = stock = trainer.data_collator(every)
        labels = stock.get("labels")
        if labels is None:
            labels = stock["input_ids"].masked_fill(stock["completion_mask"] == 0, IGNORED)
        inputs = {name: value for name, value in made.items() if name not in NOT_INPUTS}
        model = trainer.model.get_base_model().eval()
        with torch.no_grad():
            output = model(**inputs, labels=labels, use_cache=False, fused_lm_head=True)
        answers = labels != IGNORED
        prompts = stock["attention_mask"].bool() & ~answers
        return Scored(
            prompts=_picked(stock["input_ids"], prompts),
            tokens=_picked(labels, answers),
            log_probs=[
                row[seen] for row, seen in zip(output.log_probs, answers[:, 1:], strict=True)
            ],
        )

    def difference(self, method: str) -> float:
        """Return the largest difference of a token's log-probability from that by hand.

        Raises:
            ValueError: The tokens are others.
        """
        found, by_hand = self.scored(method), self.expected(method)
        if (found.prompts, found.tokens) != (by_hand.prompts, by_hand.tokens):
            raise ValueError(f"{found.prompts, found.tokens}\n{by_hand.prompts, by_hand.tokens}")
        pairs = zip(found.log_probs, by_hand.log_probs, strict=True)
        return max(float((one - other).abs().max()) for one, other in pairs)

    def _trainer(self, method: str):
        source = self.folder / f"{method}.jsonl"
        lines = "\n".join(json.dumps(row.line(method)) for row in self.rows)
        source.write_text(lines, encoding="utf-8")
        sections = {} if self.fast else {"speed": dict.fromkeys(SAVINGS, "off")}
        config: RunConfig = self.bench.config(
            self.model_folder,
            method,
            data={"source": str(source)},
            batch={"per_device": len(self.rows), "total": len(self.rows)},
            **sections,
        )
        paths = RunStore(self.bench.workspace).create(config).paths
        data = load_run_data(config, self.bench.workspace)
        trainable = prepare_model(config, self.bench.workspace)
        return build_trainer(config, paths, trainable, data, [], self.bench.workspace)

    def expected(self, method: str) -> Scored:
        """Return the same by hand, in the trainers' order: all chosen, then all rejected."""
        if method not in self._expected:
            self._expected[method] = self._by_hand(method)
        return self._expected[method]

    def _by_hand(self, method: str) -> Scored:
        pairs = [(row, row.answers[name]) for name in ANSWERS[method] for row in self.rows]
        alone = [self._alone(row, answer) for row, answer in pairs]
        return Scored(
            prompts=[self.prompt(row)["input_ids"][0].tolist() for row, _ in pairs],
            tokens=[tokens for tokens, _ in alone],
            log_probs=[values for _, values in alone],
        )

    def prompt(self, row: Example) -> dict[str, torch.Tensor]:
        """Return what chat would give the model to answer a row's question."""
        return build_inputs(self.loaded.processor, self.loaded.model, [row.turn], self._images(row))

    def _alone(self, row: Example, answer: str) -> tuple[list[int], torch.Tensor]:
        model = self.loaded.model
        whole, start = self._whole(row, answer)
        ids = whole["input_ids"][0]
        with torch.no_grad():
            logits = model(**whole).logits[0]
        values = logits[start - 1 : -1].log_softmax(-1)
        return ids[start:].tolist(), values.gather(-1, ids[start:, None])[:, 0]

    def _whole(self, row: Example, answer: str) -> tuple[dict[str, torch.Tensor], int]:
        """Return the inputs of a question with its answer, and where the answer begins."""
        prompt, processor = self.prompt(row), self.loaded.processor
        start = prompt["input_ids"].shape[1]
        if self.loaded.model.config.model_type == "paligemma":
            return _answered(prompt, processor.tokenizer, answer), start
        spoken = [row.turn, Message("assistant", (Part("text", answer),))]
        text = processor.apply_chat_template([as_template_message(turn) for turn in spoken])
        images = self._images(row)
        whole = processor(
            text=[text],
            images=[images] if images else None,
            return_tensors="pt",
            add_special_tokens=False,
        )
        return dict(whole), start

    def _images(self, row: Example) -> list[Image.Image]:
        return [Image.open(self.folder / name).convert("RGB") for name in row.images]

    def sees(self, row: Example) -> float:
        """Return how far a log-probability moves when the row's first image changes."""
        before = self._alone(row, row.answers["completion"])[1]
        path = self.folder / row.images[0]
        kept = path.read_bytes()
        with Image.open(path) as image:
            Image.new("RGB", image.size, "black").save(path)
        try:
            after = self._alone(row, row.answers["completion"])[1]
        finally:
            path.write_bytes(kept)
        return float((before - after).abs().max())


def _answered(
    prompt: Mapping[str, torch.Tensor], tokenizer: PreTrainedTokenizerBase, answer: str
) -> dict[str, torch.Tensor]:
    """Return a prompt of PaliGemma, which ends in a newline, with an answer marked as one."""
    ids = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False, return_tensors="pt")
    added = ids["input_ids"]
    parts = {"input_ids": added, "attention_mask": torch.ones_like(added)}
    parts["token_type_ids"] = torch.ones_like(added)
    return {**prompt, **{name: torch.cat([prompt[name], parts[name]], 1) for name in parts}}


def _picked(ids: torch.Tensor, places: torch.Tensor) -> list[list[int]]:
    return [row[seen].tolist() for row, seen in zip(ids, places, strict=True)]


def measured(bench: Bench, family: str) -> dict[str, float]:
    """Return the largest difference by method and path (`sft stock`, …), and what `sees` gives.

    Paths that the family does not have are left out.
    """
    stock = ByHand(bench, family, bench.folder / f"by-hand-{family}-stock", fast=False)
    found = {f"{method} stock": stock.difference(method) for method in ANSWERS}
    found["sees"] = stock.sees(stock.rows[0])
    if stock.proved:
        fast = ByHand(bench, family, bench.folder / f"by-hand-{family}-fast", fast=True, like=stock)
        found |= {f"{method} fast": fast.difference(method) for method in ANSWERS}
    return found
