"""When a learning rate is called high for DPO: by what models of the run's size bear."""

import math

import pytest
import torch
from transformers import AutoModelForImageTextToText

from studio.config import run_file
from studio.core.errors import ModelError
from studio.models.model_source import load_config
from studio.training.parameter_groups import freeze_towers, high_rate, highest_dpo_rate
from tests.training.one_step import OneStep

TINY, SMALL, LARGE = 1_920_000, 256_000_000, 8_000_000_000


def dpo(rate, **values):
    return run_file.parse({"method": "dpo", "optimizer": {"learning_rate": rate}, **values})


@pytest.mark.parametrize(
    ("rate", "parameters", "high"),
    [
        (5e-5, LARGE, False),
        (6e-5, LARGE, True),
        (6e-5, SMALL, False),
        (2e-4, SMALL, True),
        (1e-3, TINY, False),
        (2e-3, TINY, True),
    ],
)
def test_a_rate_is_high_by_the_size_of_the_model(rate, parameters, high):
    found = high_rate(dpo(rate), parameters)
    assert bool(found) == high
    assert not high or f"{rate:g} is high for DPO with LoRA" in found[0]


def test_it_is_said_of_dpo_with_an_adapter_only():
    assert high_rate(dpo(1e-2, adapter=None), LARGE) == []
    assert high_rate(dpo(1e-2).model_copy(update={"method": "sft"}), LARGE) == []


def test_smaller_models_bear_no_less():
    rates = [highest_dpo_rate(parameters) for parameters in (TINY, SMALL, LARGE, 100 * LARGE)]
    assert rates == sorted(rates, reverse=True) and rates[-1] == rates[-2] == 5e-5


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


def test_lora_plus_and_parts_learn_at_their_own_rates(one):
    config = one.config(
        adapter={"targets": "vision+language", "lora_plus_ratio": 8},
        optimizer={"learning_rate": 1e-3, "tower_rates": {"vision": 1e-4}, "schedule": "linear"},
        schedule={"max_steps": 2},
    )
    trainer = one.trainer(config)
    names = {id(p): n for n, p in trainer.model.named_parameters()}
    rates = {}
    for group in trainer.optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            key = ("vision" if "vision" in name else "language", name.split(".")[-3])
            rates.setdefault(key, set()).add(round(group["lr"], 9))
    assert rates == {
        ("vision", "lora_A"): {1e-4},
        ("vision", "lora_B"): {8e-4},
        ("language", "lora_A"): {1e-3},
        ("language", "lora_B"): {8e-3},
    }
    trained = sum(p.requires_grad for p in trainer.model.parameters())
    assert sum(len(group["params"]) for group in trainer.optimizer.param_groups) == trained
    trainer.create_scheduler(2)
    trainer.optimizer.step()
    trainer.lr_scheduler.step()
    assert sorted({g["lr"] for g in trainer.optimizer.param_groups}) == pytest.approx(
        [5e-5, 4e-4, 5e-4, 4e-3]
    )


def test_a_rate_for_a_part_that_is_not_trained_is_refused(one):
    with pytest.raises(ModelError, match="nothing of it is trained") as caught:
        one.trainer(one.config(optimizer={"tower_rates": {"vision": 1e-4}}))
    assert caught.value.field == "optimizer.tower_rates"


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_frozen_parts_stay_and_the_others_learn(one, method):
    frozen = {"freeze": ["vision", "projector"], "learning_rate": 1e-4}
    _, loss, changed = one.step(one.config(method, adapter=None, optimizer=frozen))
    assert math.isfinite(loss) and changed
    assert not [name for name in changed if "vision" in name or "connector" in name]


def test_freezing_all_that_has_weights_is_refused(one):
    model = load_config(one.config().model)
    model.tie_word_embeddings = model.text_config.tie_word_embeddings = True
    with torch.device("meta"):
        tied = AutoModelForImageTextToText.from_config(model)
    frozen = {"freeze": ["vision", "projector", "language"]}
    with pytest.raises(ModelError, match="nothing left to train") as caught:
        freeze_towers(tied, one.config(adapter=None, optimizer=frozen))
    assert caught.value.field == "optimizer.freeze"
