"""The form is the run file and back, for every setting."""

from __future__ import annotations

import pytest

from studio.config import RunConfig
from studio.config.dpo import LOSSES, MPO
from studio.config.presets import list_presets
from studio.config.setting_list import field_specs
from studio.core.errors import ConfigError
from studio.ui.train.settings_form import (
    component,
    config_from,
    element_id,
    help_of,
    widgets_of,
)
from studio.ui.train.state import loss_choices
from tests.ui.train.settings_widgets import PATHS, SPECS


def shown(**changes):
    values = widgets_of(SPECS, RunConfig())
    for path, value in changes.items():
        values[PATHS.index(path.replace("__", "."))] = value
    return values


def problem_fields(values):
    with pytest.raises(ConfigError) as caught:
        config_from(SPECS, values)
    return [problem.field for problem in caught.value.problems]


def test_every_setting_is_in_the_form():
    settings = {spec.path for spec in field_specs()}
    assert set(PATHS) == settings | {"adapter"}


@pytest.mark.parametrize("spec", SPECS, ids=PATHS)
def test_component_carries_label_help_and_default(spec):
    made = component(spec)
    assert (made.label, made.info) == (spec.label, spec.help)
    assert made.elem_id == element_id(spec.path)


@pytest.mark.parametrize("config", [RunConfig(), *(p.config() for p in list_presets())])
def test_form_gives_back_the_run_file(config):
    assert config_from(SPECS, widgets_of(SPECS, config)) == config


def test_full_fine_tuning_survives_the_form():
    config = RunConfig(adapter=None)
    assert config_from(SPECS, widgets_of(SPECS, config)) == config


def test_named_targets_are_a_list():
    config = config_from(SPECS, shown(adapter__targets="q_proj, v_proj"))
    assert config.adapter.targets == ["q_proj", "v_proj"]
    for text, targets in (
        ("q_proj", ["q_proj"]),
        ("vision", "vision"),
        ("vision+projector", "vision+projector"),
        (r".*text_model.*\.q_proj", r".*text_model.*\.q_proj"),
    ):
        assert config_from(SPECS, shown(adapter__targets=text)).adapter.targets == targets


def test_every_loss_is_offered_alone_and_mixtures_with_their_weights():
    offered = [config_from(SPECS, shown(dpo__losses=v)).dpo.losses for _, v in loss_choices()]
    alone = {name for losses in offered if len(losses) == 1 for name in losses}
    assert alone == set(LOSSES) - {"sft"}
    assert MPO in offered


def test_losses_are_read_as_a_mixture():
    config = config_from(SPECS, shown(dpo__losses="sigmoid: 0.8, sft: 1"))
    assert config.dpo.losses == {"sigmoid": 0.8, "sft": 1.0}


def test_all_problems_are_found_at_once_and_named():
    values = shown(
        batch__total=7, adapter__rank=None, schedule__max_steps="many", data__columns="image"
    )
    assert set(problem_fields(values)) >= {
        "adapter.rank",
        "schedule.max_steps",
        "data.columns",
        "batch",
    }


def test_fraction_is_not_rounded_away():
    assert problem_fields(shown(adapter__rank=8.5)) == ["adapter.rank"]


def test_each_setting_tells_its_effect_and_its_name_in_trl():
    told = help_of(SPECS)
    assert set(told) == {element_id(path) for path in PATHS}
    assert all(item["effect"] for item in told.values())
    assert told["set-adapter-rank"]["trl"] == "r"
