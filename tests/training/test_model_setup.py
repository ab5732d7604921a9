"""What every kind of adapter trains, under every quantization, and what its saved folder holds."""

import math

import pytest
import torch

from studio.core.errors import ConfigError, ModelError
from studio.core.paths import RunPaths
from studio.runs.event_log import read_events
from studio.training.model_setup import save_adapter
from studio.training.planning.preflight_plan import preflight
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


def test_neftune_trains_with_noise_on_the_text_only(one):
    trainer, loss, changed = one.step(one.config(optimizer={"neftune": 5.0}))
    _, quiet, _ = one.step(one.config())
    assert math.isfinite(loss) and changed and loss != quiet
    assert trainer.args.neftune_noise_alpha == 5.0
