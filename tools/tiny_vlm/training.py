"""Trains the embedded model from scratch: Muon for matrices, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.nn.functional import cross_entropy
from transformers import BatchFeature, Idefics3ForConditionalGeneration, Idefics3Processor

from tools.tiny_vlm.batches import batch_loader
from tools.tiny_vlm.chart import COLOURS
from tools.tiny_vlm.model import GLOBAL, new_model, new_processor

LINE_EVERY = 100  # steps, where a bar cannot be redrawn
OUTSIDE_MUON = ("embed_tokens", "lm_head", "position_embedding")


@dataclass(frozen=True)
class Recipe:
    """How the embedded model is trained. Learning rates warm up, then fall linearly to zero."""

    steps: int = 3000
    batch: int = 16
    muon_rate: float = 0.01
    adam_rate: float = 3e-3
    warmup: int = 50
    max_grad_norm: float = 1.0
    seed: int = 0

    def rate_factor(self, step: int) -> float:
        """The share of the peak learning rate used at `step`, in (0, 1]."""
        return min((step + 1) / self.warmup, (self.steps - step) / self.steps * 1.2, 1.0)


def train(recipe: Recipe) -> tuple[Idefics3ForConditionalGeneration, Idefics3Processor]:
    """Trains on freshly drawn charts of the training split and shows progress on stderr.

    The same recipe on the same machine gives the same weights up to floating-point summation order.
    """
    torch.manual_seed(recipe.seed)
    processor = new_processor()
    model = new_model(processor).train()
    optimizers = _optimizers(model, recipe)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.rate_factor) for optimizer in optimizers
    ]
    losses = Losses(model, processor)
    loader = batch_loader(processor, recipe.steps, recipe.batch, recipe.seed)
    with _progress() as progress:
        task = progress.add_task("training", total=recipe.steps, loss=float("nan"))
        for step, batch in enumerate(loader, start=1):
            loss = losses(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            _advance([*optimizers, *schedules])
            model.zero_grad()
            progress.update(task, advance=1, loss=loss.item())
            if not progress.console.is_terminal and step % LINE_EVERY == 0:
                progress.print(f"{step} of {recipe.steps} steps, loss {loss.item():.3f}")
    return model.eval(), processor


class Losses:
    """The weighted loss on the answers, plus naming the colours under each image token.

    Naming compares the connector's output with the embeddings of the colours' words, and of
    `GLOBAL` for none of them.
    """

    def __init__(
        self, model: Idefics3ForConditionalGeneration, processor: Idefics3Processor
    ) -> None:
        self.model = model
        self.words = torch.tensor([*_colour_tokens(processor), _nothing_token(processor)])
        self.image_tokens = torch.empty(0)
        model.model.connector.register_forward_hook(self._keep)

    def __call__(self, batch: BatchFeature) -> torch.Tensor:
        """The sum of both, a scalar with gradient."""
        weights, colours = batch.pop("weights")[:, 1:], batch.pop("colours")
        logits = self.model(**batch).logits[:, :-1]
        scored = weights > 0
        each = cross_entropy(logits[scored], batch["input_ids"][:, 1:][scored], reduction="none")
        answers = (each * weights[scored]).sum() / weights.sum()
        return answers + self._naming(colours)

    def _naming(self, colours: torch.Tensor) -> torch.Tensor:
        embeddings = self.model.get_input_embeddings().weight[self.words]
        named = self.image_tokens.reshape(*colours.shape[:2], -1) @ embeddings.T
        return -(colours * named.log_softmax(-1)).sum(-1).mean()

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self.image_tokens = output


def _colour_tokens(processor: Idefics3Processor) -> list[int]:
    tokens = [processor.tokenizer(f" {colour}")["input_ids"] for colour in COLOURS]
    return [token for (token,) in tokens]


def _nothing_token(processor: Idefics3Processor) -> int:
    return processor.tokenizer.convert_tokens_to_ids(GLOBAL)


def _optimizers(
    model: Idefics3ForConditionalGeneration, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        hidden = parameter.ndim == 2 and not any(part in name for part in OUTSIDE_MUON)
        (matrices if hidden else others).append(parameter)
    return (
        torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.01),
        torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    )


def _advance(parts: Iterable[torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]) -> None:
    for part in parts:
        part.step()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
