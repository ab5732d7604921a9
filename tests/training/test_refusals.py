"""Settings that cannot work are refused before anything is loaded, each with field and remedy."""

import json
import sys
from typing import get_args, get_type_hints

import pytest
from peft import LoraConfig
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from studio.config import RunConfig, run_file
from studio.config.adapter import InitWeights
from studio.config.availability import availability_problems, unavailable
from studio.config.consistency import cautions, problems
from studio.config.optimizer import OptimizerName, ScheduleName
from studio.config.preference import DIFFERENCE_LOSSES, LOSSES
from studio.core.errors import ConfigError, ModelError
from studio.core.paths import TINY_VLM, Workspace
from studio.models.load import load_model
from studio.training.planning.preflight_plan import preflight

QUANTIZED = {"model": {"quantization": "nf4"}}


EXCLUDED = sorted(set(LOSSES) - set(DIFFERENCE_LOSSES))


FORBIDDEN = {
    "quantized weights trained whole": (QUANTIZED | {"adapter": None}, "adapter"),
    "lora on the head": ({"adapter": {"targets": ["q_proj", "lm_head"]}}, "adapter.targets"),
    "no target": ({"adapter": {"targets": []}}, "adapter.targets"),
    "the head trained whole": (
        {"adapter": {"modules_to_save": ["lm_head"]}},
        "adapter.modules_to_save",
    ),
    "a quantized module trained whole": (
        QUANTIZED | {"adapter": {"modules_to_save": ["connector"]}},
        "adapter.modules_to_save",
    ),
    **{
        f"{init} on quantized weights": (QUANTIZED | {"adapter": {"init": init}}, "adapter.init")
        for init in ("pissa", "olora", "orthogonal")
    },
    **{
        f"{init} as DPO's reference": (
            {"method": "dpo", "adapter": {"init": init}},
            "adapter.init",
        )
        for init in ("pissa", "olora")
    },
    "pissa with DoRA": ({"adapter": {"init": "pissa", "dora": True}}, "adapter.dora"),
    **{
        f"start {init}": ({"adapter": {"init": init}}, "adapter.init")
        for init in ("loftq", "corda", "mica")
    },
    "biases in DPO": ({"method": "dpo", "adapter": {"bias": "all"}}, "adapter.bias"),
    "exo_pair without smoothing": (
        {"method": "dpo", "dpo": {"losses": {"exo_pair": 1}}},
        "dpo.label_smoothing",
    ),
    "sft alone": ({"method": "dpo", "dpo": {"losses": {"sft": 1}}}, "dpo.losses"),
    **{
        f"divergence with {loss}": (
            {"method": "dpo", "dpo": {"losses": {loss: 1}, "f_divergence": "js_divergence"}},
            "dpo.f_divergence",
        )
        for loss in EXCLUDED
    },
    **{
        f"weighting with {loss}": (
            {"method": "dpo", "dpo": {"losses": {loss: 1}, "weighting": True}},
            "dpo.weighting",
        )
        for loss in ("aot", "aot_unpaired")
    },
    "an adapter that is not there as reference": (
        {"method": "dpo", "dpo": {"reference": "adapter"}},
        "dpo.reference",
    ),
    "another adapter beside full training": (
        {"method": "dpo", "adapter": None, "dpo": {"reference": "some-run"}},
        "dpo.reference",
    ),
    "NEFTune in DPO": ({"method": "dpo", "optimizer": {"neftune": 5}}, "optimizer.neftune"),
    "freezing beside an adapter": ({"optimizer": {"freeze": ["vision"]}}, "optimizer.freeze"),
    "freezing everything": (
        {"adapter": None, "optimizer": {"freeze": ["vision", "projector", "language", "head"]}},
        "optimizer.freeze",
    ),
    "a rate for a frozen part": (
        {"adapter": None, "optimizer": {"freeze": ["vision"], "tower_rates": {"vision": 1e-5}}},
        "optimizer.tower_rates",
    ),
    "early stopping without evaluation": (
        {"schedule": {"early_stopping": 2}},
        "schedule.early_stopping",
    ),
    "plateau without evaluation": (
        {"optimizer": {"schedule": "reduce_lr_on_plateau"}},
        "optimizer.schedule",
    ),
    "best without evaluation": ({"schedule": {"keep_best": True}}, "schedule.keep_best"),
    "best between evaluations": (
        {
            "data": {"evaluation": "5%"},
            "schedule": {"keep_best": True, "evaluate_every": 30, "save_every": 100},
        },
        "schedule.save_every",
    ),
    "rewards in SFT": ({"schedule": {"metric": "rewards/margins"}}, "schedule.metric"),
    "processes that do not divide": ({"launch": {"processes": 3}}, "launch.processes"),
    "no accelerate file": ({"launch": {"engine": "accelerate:/no/such.yaml"}}, "launch.engine"),
}


@pytest.mark.parametrize(("values", "field"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_forbidden_combination_names_its_field_and_a_remedy(values, field):
    found = problems(run_file.parse(values))
    assert [problem.field for problem in found] == [field]
    assert found[0].message and found[0].remedy


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"batch": {"per_device": 3, "total": 16}}, "batch"),
        ({"dpo": {"losses": {"sigmod": 1}}}, "dpo.losses"),
        ({"dpo": {"losses": {}}}, "dpo.losses"),
        ({"dpo": {"losses": {"sigmoid": 1, "ipo": -1}}}, "dpo.losses"),
        ({"dpo": {"ld_alpha": 1.5}}, "dpo.ld_alpha"),
        ({"dpo": {"label_smoothing": 0.5}}, "dpo.label_smoothing"),
        ({"optimizer": {"tower_rates": {"text": 1e-5}}}, "optimizer.tower_rates"),
        ({"optimizer": {"tower_rates": {"vision": 2}}}, "optimizer.tower_rates"),
        ({"model": {"quantization": "int4"}}, "model.quantization"),
        ({"padding_free": True}, "padding_free"),
        ({"packing": True}, "packing"),
        ({"pad_to_multiple_of": 8}, "pad_to_multiple_of"),
        ({"use_liger_kernel": True}, "use_liger_kernel"),
        ({"dpo": {"precompute_ref_log_probs": True}}, "dpo.precompute_ref_log_probs"),
        ({"dpo": {"sync_ref_model": True}}, "dpo.sync_ref_model"),
        ({"optimizer": {"warmup_ratio": 0.1}}, "optimizer.warmup_ratio"),
        ({"model": {"trust_remote_code": True}}, "model.trust_remote_code"),
    ],
)
def test_values_that_are_none_are_refused_when_read(values, field):
    with pytest.raises(ConfigError) as caught:
        run_file.parse(values)
    assert caught.value.field == field and len(str(caught.value)) > len(field) + 10


def test_layerwise_and_low_rank_optimizers_name_what_they_cannot_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "galore_torch", None)
    monkeypatch.setattr("studio.config.availability.Requirement.missing", False)
    layerwise = {"optimizer": {"name": "galore_adamw_layerwise"}, "adapter": None}
    assert [p.field for p in problems(run_file.parse(layerwise))] == ["optimizer.name"]
    alone = layerwise | {"batch": {"per_device": 4, "total": 4}}
    assert problems(run_file.parse(alone)) == []
    on_adapter = problems(run_file.parse({"optimizer": {"name": "galore_adamw"}}))
    assert [p.field for p in on_adapter] == ["optimizer.name"] and "low-rank" in on_adapter[
        0
    ].message
    lomo = {"optimizer": {"name": "lomo"}, "adapter": None}
    assert [p.field for p in problems(run_file.parse(lomo))] == ["optimizer.name"]
    (said,) = [text for text in cautions(run_file.parse(lomo)) if "clipped" in text]
    assert "lomo" in said
    rated = {
        "optimizer": {"name": "lomo", "tower_rates": {"language": 1e-5}},
        "adapter": None,
        "batch": {"per_device": 4, "total": 4},
    }
    assert [p.field for p in problems(run_file.parse(rated))] == ["optimizer.tower_rates"]


def test_schedule_free_optimizers_warm_up_in_steps(monkeypatch):
    monkeypatch.setattr("studio.config.availability.Requirement.missing", False)

    def found(**settings):
        config = run_file.parse({"optimizer": {"name": "schedule_free_adamw"} | settings})
        return [p.field for p in problems(config)], cautions(config)

    fields, _ = found(warmup=0.03, schedule="constant")
    assert fields == ["optimizer.warmup"]
    fields, said = found(warmup=10, schedule="linear")
    assert fields == [] and "needs no schedule" in " ".join(said)
    assert found(warmup=0, schedule="constant") == ([], [])


def test_optimizers_and_schedules_are_those_of_the_installed_transformers():
    assert set(get_args(OptimizerName)) == {item.value for item in OptimizerNames}
    others = {"cosine_warmup_with_min_lr", "greedy"}
    assert set(get_args(ScheduleName)) == {item.value for item in SchedulerType} - others


def test_initialisations_are_those_of_the_installed_peft():
    kinds = get_args(get_type_hints(LoraConfig)["init_lora_weights"])
    named = {name for kind in kinds for name in get_args(kind) if "[" not in name}
    assert set(get_args(InitWeights)) == named | {"default"}


def test_trackers_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setattr("studio.config.availability.Requirement.missing", True)
    config = run_file.parse({"report_to": ["wandb", "tensorboard"]})
    found = problems(config)
    assert [problem.field for problem in found] == ["report_to", "report_to"]
    assert "wandb" in found[0].message and "pip install wandb" in found[0].remedy
    assert set(unavailable()["report_to"]) == {"trackio", "tensorboard", "wandb"}
    elsewhere = config.model_copy(
        update={"launch": config.launch.model_copy(update={"engine": "hf-jobs:a10g-small"})}
    )
    assert problems(elsewhere) == []


def test_what_the_device_lacks_is_greyed_out_and_refused():
    on_cpu = unavailable("cpu")
    assert on_cpu["model.attention"]["flash_attention_2"] == "needs a CUDA GPU"
    assert "float16" in on_cpu["model.dtype"] and "model.dtype" not in unavailable("cuda")
    assert set(unavailable("mps")["model.quantization"]) == {"int8", "nf4", "fp4"}
    dora = run_file.parse({"adapter": {"dora": True}, "model": {"quantization": "int8"}})
    assert [p.field for p in availability_problems(dora, "cpu")] == ["adapter.dora"]
    assert availability_problems(dora, "cuda") == []


def test_what_is_ignored_is_said_in_the_plan():
    smoothed = {"method": "dpo", "dpo": {"label_smoothing": 0.1}, "adapter": {"dropout": 0.1}}
    said = " ".join(cautions(run_file.parse(smoothed)))
    assert "label smoothing" in said.lower() and "dropout" in said
    assert cautions(RunConfig()) == []


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda f: (f / "adapter_model.bin").write_bytes(b"\x80\x04pickle"), "pickled"),
        (lambda f: (f / "adapter_config.json").write_text('{"auto_map": {}, "r": 4}'), "foreign"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\x10"), "damaged"),
    ],
)
@pytest.mark.parametrize("field", ["adapter.continue_from", "dpo.reference"])
def test_29_unsafe_and_damaged_adapters_are_refused_in_every_place(tmp_path, break_it, said, field):
    folder = tmp_path / "adapter"
    folder.mkdir()
    described = {"r": 4, "base_model_name_or_path": "embedded", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(described))
    break_it(folder)
    section, key = field.split(".")
    config = run_file.parse(
        {"method": "dpo", "data": {"source": "embedded:preferences"}, section: {key: str(folder)}}
    )
    with pytest.raises(ModelError, match=said) as caught:
        preflight(config, Workspace.locate(tmp_path / "workspace"))
    assert caught.value.field == field and caught.value.remedy


def test_29_a_base_model_with_foreign_code_is_refused(tmp_path):
    described = json.loads((TINY_VLM / "config.json").read_text())
    described |= {"auto_map": {"AutoConfig": "evil.Evil"}, "model_type": "evil"}
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran foreign code')")
    with pytest.raises(ModelError) as caught:
        load_model(run_file.parse({"model": {"id": str(tmp_path)}}).model)
    assert caught.value.field == "model.id" and caught.value.remedy
