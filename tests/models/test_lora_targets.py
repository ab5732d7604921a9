"""Modules that an adapter's targets name."""

import pytest
from torch import nn

from studio.config.adapter import TARGET_GROUPS, AdapterConfig
from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import skeleton_of
from studio.models.lora_targets import matched_modules, matched_per_tower, target_modules


@pytest.fixture(scope="module")
def skeleton():
    return skeleton_of(ModelConfig())


@pytest.mark.parametrize(
    ("targets", "towers"),
    [
        ("language", {"language"}),
        ("vision+language", {"vision", "language"}),
        ("vision", {"vision"}),
        ("projector + language", {"projector", "language"}),
        ("all-linear", {"vision", "projector", "language"}),
        (["q_proj"], {"vision", "language"}),
        (r"model\.text_model\..*\.down_proj", {"language"}),
    ],
)
def test_targets_hit_the_towers_they_name(skeleton, targets, towers):
    matched = matched_modules(skeleton, AdapterConfig(targets=targets))
    counts = matched_per_tower(skeleton, matched)
    assert {tower for tower, count in counts.items() if count} == towers


def test_peft_hits_exactly_what_the_plan_says(skeleton):
    from peft import LoraConfig, get_peft_model

    for targets in (*TARGET_GROUPS, ["q_proj", "v_proj"]):
        adapter = AdapterConfig(targets=targets)
        wanted = set(matched_modules(skeleton, adapter))
        model = get_peft_model(
            skeleton_of(ModelConfig()), LoraConfig(target_modules=target_modules(skeleton, adapter))
        )
        assert set(model.targeted_module_names) == wanted


@pytest.mark.parametrize("targets", [["nothing"], "no.such.*", ["q_proj", "nothing"], "("])
def test_targets_that_match_nothing_are_refused(skeleton, targets):
    with pytest.raises(ModelError) as caught:
        matched_modules(skeleton, AdapterConfig(targets=targets))
    assert caught.value.field == "adapter.targets" and caught.value.remedy


def test_a_chosen_part_without_a_linear_layer_is_named():
    bare = skeleton_of(ModelConfig())
    bare.model.vision_model.encoder.layers = nn.ModuleList()
    assert matched_modules(bare, AdapterConfig(targets="language"))
    for targets in ("vision", "vision+language", "all-linear"):
        with pytest.raises(ModelError, match="no linear layer in the vision part") as caught:
            matched_modules(bare, AdapterConfig(targets=targets))
        assert caught.value.field == "adapter.targets" and caught.value.remedy
