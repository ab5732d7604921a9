"""Every optimizer takes a step here, or is refused with the package it needs."""

import re
from typing import get_args

import pytest
import torch
from torch import nn
from transformers.training_args import OptimizerNames

from studio.config import run_file
from studio.config.availability import OPTIMIZERS, unavailable
from studio.config.optimizer import OptimizerName
from studio.config.setting_conflicts import LOW_RANK, problems
from studio.core.errors import ModelError
from studio.models.load import skeleton_of
from studio.models.lora_targets import linear_pattern
from studio.training.planning.optimizer_memory import optimizer_bytes, projected_weights
from tests.training.one_step import OneStep

REASONS = unavailable("cpu").get("optimizer.name", {})
MISSING = {name: why for name, why in REASONS.items() if OPTIMIZERS[name].missing}
OFFERED = [name for name in get_args(OptimizerName) if name not in REASONS]
RECTIFIED = 10
"""Steps after which RAdam's variance is known and it begins to move."""
INSIDE = (*LOW_RANK, "lomo", "adalomo")
"""Those that take the whole model, or work while gradients are made."""


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("optimizers"))


class Step:
    """One backward pass; every optimizer starts from the weights and gradients after it."""

    def __init__(self, one: OneStep) -> None:
        self.trainer = trainer = one.trainer(one.config(schedule={"max_steps": 1}))
        batch = next(iter(trainer.get_train_dataloader()))
        trainer.compute_loss(trainer.model.train(), batch).backward()
        self.trained = [p for p in trainer.model.parameters() if p.requires_grad]
        self.start = [(p.detach().clone(), p.grad.clone()) for p in self.trained]

    def of(self, name: str) -> list[torch.Tensor]:
        """How far each weight moves."""
        trainer = self.trainer
        for weight, (value, gradient) in zip(self.trained, self.start, strict=True):
            weight.data.copy_(value)
            weight.grad = gradient.clone()
        trainer.args.optim = OptimizerNames(name)
        trainer.optimizer = None
        optimizer = trainer.create_optimizer()
        if hasattr(optimizer, "train"):
            optimizer.train()
        for _ in range(RECTIFIED if "radam" in name else 1):
            optimizer.step()
        return [
            weight.detach() - value
            for weight, (value, _) in zip(self.trained, self.start, strict=True)
        ]


@pytest.fixture(scope="module")
def step(one):
    return Step(one)


@pytest.mark.parametrize("name", [n for n in OFFERED if not n.startswith(INSIDE)])
def test_what_is_offered_moves_the_weights(step, name):
    moved = step.of(name)
    assert all(torch.isfinite(change).all() for change in moved)
    gradients = [gradient for _, gradient in step.start]
    down = sum(float((c * g).sum()) for c, g in zip(moved, gradients, strict=True))
    assert down < 0, "the step goes against the gradient"


@pytest.mark.parametrize("name", [n for n in OFFERED if n.startswith(INSIDE)])
def test_optimizers_of_whole_matrices_take_a_step(one, name):
    batch = {"per_device": 2, "total": 2}
    rate = {"name": name, "learning_rate": 1e-3, "freeze": ["vision"]}
    trainer, loss, changed = one.step(one.config(adapter=None, batch=batch, optimizer=rate))
    assert loss > 0 and any("q_proj" in item for item in changed)
    assert not [item for item in changed if "vision" in item]
    if name.startswith(LOW_RANK) and not name.endswith("layerwise"):
        _, projected = trainer.optimizer.optimizer.param_groups
        names = {id(p): n for n, p in trainer.model.named_parameters()}
        hit = {names[id(p)] for p in projected["params"]}
        assert projected["rank"] and all(".vision_model" not in item for item in hit)
        assert any("down_proj" in item for item in hit) and "lm_head.weight" not in hit


@pytest.mark.parametrize("name", sorted(MISSING))
def test_what_is_not_installed_is_refused_with_its_package(name):
    values = {"optimizer": {"name": name, "warmup": 0}, "adapter": None, "batch": {"total": 4}}
    config = run_file.parse(values)
    refused = problems(config)
    assert refused[0].field == "optimizer.name"
    assert f"pip install {OPTIMIZERS[name].package}" in refused[0].remedy
    assert OPTIMIZERS[name].package in MISSING[name]


def test_projected_are_all_linear_layers_that_train_but_the_head(one):
    model = skeleton_of(one.config().model)
    names = [name for name, _ in model.named_modules()]

    def hit(*left_out):
        pattern = linear_pattern(model, left_out)
        return {name for name in names if re.fullmatch(pattern, name)}

    everything = hit()
    assert any("vision" in name for name in everything)
    assert "model.connector.modality_projection.proj" in everything
    assert "lm_head" not in everything and "model.text_model.embed_tokens" not in everything
    language = hit("vision", "projector")
    assert language == {name for name in everything if "text_model" in name}
    with pytest.raises(ModelError, match="No linear layer"):
        linear_pattern(model, ("vision", "projector", "language"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw_torch", 2 * 4 * 10_100),
        ("adamw_8bit", 2 * (10_000 + 4 * 40) + 2 * 4 * 100),
        ("lion_8bit", 10_000 + 4 * 40 + 4 * 100),
        ("adafactor", 4 * 200 + 4 * 100),
        ("sgd", 0),
        ("ademamix", 3 * 4 * 10_100),
        ("grokadamw", 3 * 4 * 10_100),
        ("schedule_free_adamw", 2 * 4 * 10_100),
        ("schedule_free_sgd", 4 * 10_100),
        ("adamw_torch_4bit", 2 * (5_000 + 4 * 79) + 2 * 4 * 100),
        ("lomo", 0),
        ("adalomo", 4 * 200 + 4 * 100),
    ],
)
def test_optimizer_state_by_hand(name, expected):
    parameters = [nn.Parameter(torch.empty(100, 100)), nn.Parameter(torch.empty(100))]
    assert optimizer_bytes(name, parameters) == expected


def test_state_of_projected_matrices_by_hand():
    head, layer = nn.Linear(300, 900, bias=False), nn.Linear(300, 900)
    model = nn.ModuleList([layer, head])
    rest = 2 * 4 * (900 + 300 * 900)
    for name in ("galore_adamw", "apollo_adamw"):
        projected = projected_weights(name, model, head)
        assert projected == {id(layer.weight)}
        state = optimizer_bytes(name, model.parameters(), projected)
        assert state == 4 * (2 * 128 * 900 + 128 * 300) + rest
    assert projected_weights("adamw_torch", model, head) == set()
