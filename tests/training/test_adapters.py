"""What every kind of adapter trains, under every quantization, and what its saved folder holds."""

import json
import math

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from studio.config.adapter import AdapterConfig
from studio.config.model import ModelConfig
from studio.core.errors import ConfigError, ModelError
from studio.core.paths import RunPaths
from studio.models.load import load_model, skeleton_of
from studio.models.loaded_adapters import AdapterShelf
from studio.models.model_source import load_config
from studio.models.quantize import quantization_config
from studio.runs.event_log import read_events
from studio.runs.status import INITIALIZING, read_status
from studio.training import adapter_init
from studio.training.model_setup import save_adapter
from studio.training.parameter_groups import freeze_towers
from studio.training.planning.preflight_plan import preflight
from studio.training.planning.weight_memory import quantized_modules
from tests.training.one_step import OneStep

PROJECTOR = "modality_projection"
# Together these hold every value that is offered; each must move what it adds.
VARIANTS = {
    "default": ({}, {"lora_B"}),
    "dora": ({"dora": True, "init": "gaussian"}, {"lora_B", "lora_magnitude_vector"}),
    "rslora": (
        {"rslora": True, "bias": "lora_only", "targets": "vision+language", "init": "eva"},
        {"lora_B", "vision_model", ".bias"},
    ),
    "whole": (
        {"bias": "all", "modules_to_save": [PROJECTOR], "lora_plus_ratio": 16, "dropout": 0.1},
        {"lora_B", f"{PROJECTOR}.modules_to_save", "layer_norm1.bias"},
    ),
    "orthogonal": ({"init": "orthogonal"}, {"lora_B", "lora_A"}),
}
NOT_OFFERED = {
    ("dora", "int8"): "adapter.dora",
    **{("orthogonal", kind): "adapter.init" for kind in ("int8", "nf4", "fp4")},
}
MOVING = {"pissa": {"init": "pissa"}, "olora": {"init": "olora", "rslora": True}}


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


def ensure_moved(one, model, adapter, parts):
    _, loss, changed = one.step(one.config(model=model, adapter={"rank": 4, **adapter}))
    assert math.isfinite(loss)
    for part in parts:
        assert any(part in name for name in changed), part


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4", "fp4"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_offered_takes_a_step_and_the_rest_is_refused(one, quantization, variant):
    adapter, parts = VARIANTS[variant]
    skipped = adapter.get("modules_to_save", []) if quantization != "none" else []
    model = {"quantization": quantization, "skip_modules": skipped}
    refused = NOT_OFFERED.get((variant, quantization))
    if refused is None:
        ensure_moved(one, model, adapter, parts)
        return
    with pytest.raises(ConfigError) as caught:
        preflight(one.config(model=model, adapter=adapter), one.workspace)
    assert caught.value.field == refused and caught.value.remedy


def test_scales_without_double_quantization_and_a_skipped_module_take_a_step(one):
    model = {"quantization": "nf4", "double_quantization": False, "skip_modules": [PROJECTOR]}
    ensure_moved(one, model, {}, {"lora_B"})


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


@pytest.mark.parametrize(
    ("name", "said"), [("no_such_module", "no module"), ("lm_head", "output head")]
)
def test_modules_to_save_must_exist_and_not_be_the_head(one, name, said):
    from studio.models.adapter_config import lora_config

    with pytest.raises(ModelError, match=said) as caught:
        lora_config(AdapterConfig(modules_to_save=[name]), load_model(one.config().model).model)
    assert caught.value.field == "adapter.modules_to_save" and caught.value.remedy


def test_skipped_modules_are_named_wherever_they_lie_and_the_head_always_is(one):
    skeleton = skeleton_of(one.config().model)
    model = ModelConfig(quantization="int8", skip_modules=["vision_model"])
    skipped = quantization_config(model, skeleton, torch.float32).llm_int8_skip_modules
    assert {"model.vision_model", "lm_head"} <= set(skipped)
    quantized = quantized_modules(model, skeleton, torch.float32)
    assert quantized and not [name for name in quantized if "vision_model" in name]
    with pytest.raises(ModelError, match="no module") as caught:
        quantization_config(
            ModelConfig(quantization="nf4", skip_modules=["vision_tower"]), skeleton, torch.float32
        )
    assert caught.value.field == "model.skip_modules"


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


def scored(trainer):
    """Reference log-probabilities (2 × rows,) of the rows, adapters as the trainer has them."""
    batch = next(iter(trainer.get_train_dataloader()))
    if trainer.saving is not None:
        batch = super(type(trainer), trainer).computable(batch)
    model = trainer.ref_model or trainer.model
    return torch.cat(trainer.compute_ref_log_probs(model, trainer._prepare_inputs(batch)))


def test_the_reference_is_the_one_that_was_chosen(one):
    """The base, the adapter continued from, or another run's; each scores by its own weights."""
    folders = []
    for rate in (5e-2, 2e-2):
        trainer, _, _ = one.step(one.config("dpo", optimizer={"learning_rate": rate}))
        paths = RunPaths(one.workspace.runs / f"run-{one.runs}")
        save_adapter(trainer.model, paths)
        folders.append(str(paths.adapter))
    first, second = folders
    wanted = {
        "base": scored(one.trainer(one.config("dpo"))),
        "adapter": scored(one.trainer(one.config("dpo", adapter={"continue_from": first}))),
        second: scored(one.trainer(one.config("dpo", adapter={"continue_from": second}))),
    }
    assert len({round(float(scores.sum()), 3) for scores in wanted.values()}) == 3
    for reference, scores in wanted.items():
        config = one.config("dpo", adapter={"continue_from": first}, dpo={"reference": reference})
        trainer, _, changed = one.step(config)
        assert torch.allclose(scored(trainer), scores, atol=1e-4), reference
        assert changed and not [name for name in changed if ".default." not in name]
    fresh = one.config("dpo", dpo={"reference": first})
    assert torch.allclose(scored(one.trainer(fresh)), wanted["adapter"], atol=1e-4)


def test_a_reference_that_is_not_there_names_its_setting(one):
    config = one.config("dpo", dpo={"reference": "no-such-run"})
    with pytest.raises(ModelError, match="no run or adapter folder") as caught:
        preflight(config, one.workspace)
    assert caught.value.field == "dpo.reference"


def test_cut_answers_take_the_stock_path(one):
    whole = one.trainer(one.config())
    tokens = next(iter(whole.get_train_dataloader()))["labels"].shape[1]
    trainer, loss, _ = one.step(
        one.config(
            data={"source": "embedded:sft", "max_length": tokens - 2, "too_long": "cut_answer"}
        )
    )
    assert not hasattr(trainer, "saving") and math.isfinite(loss)
    assert next(iter(trainer.get_train_dataloader()))["labels"].shape[1] == tokens - 2
    (said,) = events_of(one, "fast_path")
    assert "data.too_long" in said["message"] and said["share_images"] is False


def events_of(one, kind):
    """What the last run said of itself."""
    found = read_events(RunPaths(one.workspace.runs / f"run-{one.runs}").events).events
    return [event.values for event in found if event.type == kind]


def test_magnitudes_stay_in_full_precision_beside_bfloat16(one):
    """Quantized weights, an adapter in bfloat16, and DoRA's magnitudes in float32."""
    model = {"quantization": "nf4", "dtype": "bfloat16"}
    trainer, loss, changed = one.step(one.config(model=model, adapter={"dora": True}))
    dtypes = {
        kind: {p.dtype for n, p in trainer.model.named_parameters() if kind in n}
        for kind in ("lora_A", "lora_magnitude_vector")
    }
    assert dtypes == {"lora_A": {torch.bfloat16}, "lora_magnitude_vector": {torch.float32}}
    assert math.isfinite(loss) and any("magnitude" in name for name in changed)


def test_projections_inside_attention_modules_are_never_quantized(one):
    """`nn.MultiheadAttention` (SigLIP's pooling head) multiplies by its weights itself."""
    skeleton = skeleton_of(one.config().model)
    skeleton.model.vision_model.add_module("head", torch.nn.MultiheadAttention(32, 2))
    model = ModelConfig(quantization="nf4", skip_modules=["connector"])
    quantized = quantized_modules(model, skeleton, torch.float32)
    assert not [name for name in quantized if ".head." in name or "connector" in name]
    assert any("vision_model" in name for name in quantized)


def test_neftune_trains_with_noise_on_the_text_only(one):
    trainer, loss, changed = one.step(one.config(optimizer={"neftune": 5.0}))
    _, quiet, _ = one.step(one.config())
    assert math.isfinite(loss) and changed and loss != quiet
    assert trainer.args.neftune_noise_alpha == 5.0
