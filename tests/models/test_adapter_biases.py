"""Biases that were trained with an adapter."""

import pytest
import torch

from studio.core.paths import RunPaths
from studio.models.load import load_model
from studio.models.loaded_adapters import AdapterShelf
from studio.training.model_setup import save_adapter
from tests.training.one_step import OneStep


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


def test_trained_biases_come_and_go_with_their_adapter(one):
    """The base that is asked after an adapter was loaded is the base, biases and all."""
    adapter = {"bias": "lora_only", "targets": "vision+language"}
    trainer, _, _ = one.step(one.config(adapter=adapter))
    paths = RunPaths(one.workspace.runs / f"run-{one.runs}")
    save_adapter(trainer.model, paths)
    base = load_model(one.config().model).model

    def biases():
        return torch.cat([p.flatten() for n, p in base.named_parameters() if n.endswith("bias")])

    before, shelf = biases(), AdapterShelf(base, one.config().model)
    shelf.activate(paths.adapter)
    trained = trainer.model.get_base_model().named_parameters()
    assert torch.equal(biases(), torch.cat([p.flatten() for n, p in trained if n.endswith("bias")]))
    assert not torch.equal(biases(), before)
    shelf.activate(None)
    assert torch.equal(biases(), before)
