"""Two trainers on the same rows with the same weights: TRL's own and the fast one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image

from studio.config.speed import SAVINGS
from studio.core.paths import SAMPLES
from studio.training.model_setup import prepare_model
from studio.training.run_rows import load_run_data
from studio.training.trainers import build_trainer

OFF = dict.fromkeys(SAVINGS, "off")
IMAGES = sorted((SAMPLES / "sft" / "images").glob("*.png"))


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def write_rows(
    folder: Path, method: str, images: list[list[int]], sizes: list[tuple[int, int]] | None = None
) -> str:
    """Rows with the given images and answers of uneven length; the file's path.

    Args:
        sizes: Width and height of each image; None to leave them as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, chosen in enumerate(images):
        for number in chosen:
            shutil.copy(IMAGES[number], folder / f"{number}.png")
            if sizes:
                Image.open(IMAGES[number]).resize(sizes[number]).save(folder / f"{number}.png")
        row = {
            "images": [f"{number}.png" for number in chosen],
            "prompt": [user(f"Question {index}" + "?" * (1 + 5 * (index % 3)))],
        }
        long = "It is so " * (1 + index % 4)
        if method == "sft":
            row["completion"] = [assistant(f"{long}{index}.")]
        else:
            row["chosen"] = [assistant(f"{long}{index}.")]
            row["rejected"] = [assistant("No " * (3 - index % 3) + f"{index}")]
        lines.append(json.dumps(row))
    path = folder / "rows.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def disturb(model: torch.nn.Module) -> None:
    """An adapter that is not zero, the same for every model of its shape."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))


@dataclass
class Result:
    """One backward pass."""

    loss: float
    gradient: torch.Tensor
    metrics: dict[str, float]


class Bench:
    """Makes trainers in one workspace and compares what they compute."""

    def __init__(self, runner) -> None:
        self.runner = runner

    def trainer(self, **sections):
        config = self.runner.config(**sections)
        run = self.runner.store.create(config)
        trainable = prepare_model(config, self.runner.workspace)
        data = load_run_data(config, self.runner.workspace)
        trainer = build_trainer(config, run.paths, trainable, data, [], self.runner.workspace)
        trainer.run = run
        disturb(trainer.model)
        if trainer.args.gradient_checkpointing:  # as `train` does before the first step
            trainer.model.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs=trainer.args.gradient_checkpointing_kwargs
            )
        return trainer

    def pair(self, **sections):
        """(stock, fast) with the same rows and weights."""
        return self.trainer(**sections, speed=OFF), self.trainer(**sections)


def compute(trainer) -> Result:
    """Loss, gradient and metrics of the first batch of the training rows, in their order."""
    model = trainer.model
    model.train()
    model.zero_grad()
    trainer._metrics["train"].clear()
    size = trainer.args.per_device_train_batch_size
    rows = [trainer.train_dataset[index] for index in range(size)]
    batch = trainer._prepare_inputs(trainer.data_collator(rows))
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    metrics = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    return Result(loss.item(), gradient.clone(), metrics)


def assert_same(stock: Result, fast: Result, tolerance: float = 1e-4) -> None:
    """Losses, gradients and every metric agree within `tolerance`, relative."""
    assert fast.loss == pytest.approx(stock.loss, rel=tolerance)
    assert fast.gradient.shape == stock.gradient.shape
    norm = stock.gradient.norm()
    assert norm > 0 and (fast.gradient - stock.gradient).norm() <= tolerance * norm
    assert fast.metrics.keys() == stock.metrics.keys()
    for name, value in stock.metrics.items():
        assert fast.metrics[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
