"""Settings that cannot work together are refused before anything is loaded."""

import sys

import pytest

from studio.config import RunConfig, run_file
from studio.config.dpo import DIFFERENCE_LOSSES, LOSSES
from studio.config.setting_conflicts import cautions, problems

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


def test_what_is_ignored_is_said_in_the_plan():
    smoothed = {"method": "dpo", "dpo": {"label_smoothing": 0.1}, "adapter": {"dropout": 0.1}}
    said = " ".join(cautions(run_file.parse(smoothed)))
    assert "label smoothing" in said.lower() and "dropout" in said
    assert cautions(RunConfig()) == []
