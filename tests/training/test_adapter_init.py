"""Adapters that start from the weights, or from the rows."""

import json

import pytest
import torch
from peft import PeftModel

from studio.core.errors import ModelError
from studio.core.paths import RunPaths
from studio.models.load import load_model
from studio.runs.event_log import read_events
from studio.runs.status import INITIALIZING, read_status
from studio.training import adapter_init
from studio.training.model_setup import save_adapter
from tests.training.one_step import OneStep

MOVING = {"pissa": {"init": "pissa"}, "olora": {"init": "olora", "rslora": True}}


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


@pytest.mark.parametrize("init", MOVING)
def test_weights_moved_into_the_adapter_come_back_in_the_saved_one(one, init):
    """The folder holds plain LoRA: on the untouched base it answers as the trained model does."""
    trainer, _, changed = one.step(one.config(adapter={"rank": 4, "alpha": 8, **MOVING[init]}))
    assert any("lora_A" in name for name in changed)
    paths = RunPaths(one.workspace.runs / f"run-{one.runs}")
    ids = {"input_ids": torch.arange(2, 14).unsqueeze(0)}
    trainer.model.eval()
    with torch.no_grad():
        wanted = trainer.model(**ids).logits
        save_adapter(trainer.model, paths)
        base = load_model(one.config().model).model.eval()
        before = base(**ids).logits
        loaded = PeftModel.from_pretrained(base, paths.adapter).eval()
        found = loaded(**ids).logits
        with loaded.disable_adapter():
            untouched = loaded(**ids).logits
    assert json.loads((paths.adapter / "adapter_config.json").read_text())["r"] == 8
    assert torch.allclose(found, wanted, atol=1e-3) and not torch.allclose(found, before, atol=1e-3)
    assert torch.equal(untouched, before)


def test_eva_begins_with_directions_of_the_rows_and_answers_as_the_base(one, monkeypatch):
    monkeypatch.setattr(adapter_init, "MOST_TOKENS", 64)  # of the hundreds that two rows have
    trainer = one.trainer(one.config("dpo", adapter={"init": "eva", "rank": 4}))
    paths = RunPaths(one.workspace.runs / f"run-{one.runs}")
    status = read_status(paths)
    assert read_events(paths.events).events[0].values["stage"] == status.stage == INITIALIZING
    assert 1 < status.stage_done < status.stage_total
    weights = dict(trainer.model.named_parameters())
    starts = {n: w for n, w in weights.items() if "lora_A" in n}
    assert starts and not any(w.any() for n, w in weights.items() if "lora_B" in n)
    for weight in starts.values():
        assert torch.allclose(weight @ weight.T, torch.eye(4), atol=1e-3)
    q, k = (next(w for n, w in starts.items() if f".{p}_proj." in n) for p in "qk")
    assert torch.equal(q, k), "both read the same inputs"
    assert trainer.model.peft_config["default"].init_lora_weights is True
    with pytest.raises(ModelError, match="no start for this adapter") as caught:
        one.trainer(one.config(adapter={"init": "eva", "rank": 512}))
    assert caught.value.field == "adapter.init" and "lower rank" in caught.value.remedy
