"""Every recipe that ships must be a run file, contradict nothing and say where it is from."""

import pytest

from studio.config.checks import problems
from studio.config.presets import get_preset, list_presets
from studio.errors import NotFoundError

NAMES = [preset.name for preset in list_presets()]
EXPECTED = {
    "embedded-sft",
    "embedded-dpo",
    "course-training-arguments",
    "smol-course-sft-chartqa",
    "cookbook-qwen2vl-sft-chartqa",
    "cookbook-smolvlm-sft-chartqa",
    "cookbook-smolvlm-dpo-rlaifv",
    "cookbook-qwen25vl-mpo-rlaifv",
    "granite-vision-sft",
    "blog-idefics2-dpo-rlaifv",
    "smolvlm-finetune-vqav2",
}


def test_all_reference_recipes_ship():
    assert set(NAMES) >= EXPECTED


@pytest.mark.parametrize("name", NAMES)
def test_recipe_can_be_run(name):
    config = get_preset(name).config()
    assert config.name == name
    assert problems(config) == []


@pytest.mark.parametrize("name", NAMES)
def test_recipe_names_its_source(name):
    preset = get_preset(name)
    assert preset.about.endswith(".")
    assert "# Source: " in preset.path.read_text(encoding="utf-8")


def test_recipes_of_the_cookbook_keep_their_figures():
    mpo = get_preset("cookbook-qwen25vl-mpo-rlaifv").config()
    assert mpo.dpo.losses == {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}
    assert (mpo.batch.per_device, mpo.accumulation) == (4, 8)
    course = get_preset("smol-course-sft-chartqa").config()
    assert (course.adapter.rank, course.adapter.alpha, course.accumulation) == (8, 16, 16)
    assert course.model.quantization == "nf4"


def test_unknown_recipe_lists_the_known_ones():
    with pytest.raises(NotFoundError, match="embedded-sft"):
        get_preset("no-such")
