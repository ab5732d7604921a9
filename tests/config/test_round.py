"""Settings of a round: templates, what overrides them, and what training makes of them."""

import pytest

from studio.config.round import TEMPLATES, settings_of, training_of
from studio.core.errors import ConfigError

ROWS = {"model": "embedded", "data": "library:a", "goal": "library:b"}


RATES = {
    ("embedded", "dpo"): 3.5e-4,
    ("embedded", "sft"): 1e-3,
    ("org/model", "dpo"): 1e-5,
    ("org/model", "sft"): 2e-4,
}


@pytest.mark.parametrize(("template", "method"), zip(TEMPLATES, ("dpo", "sft", "dpo"), strict=True))
@pytest.mark.parametrize("model", ["embedded", "org/model"])
def test_a_template_trains_and_what_is_given_comes_after_it(template, method, model):
    given = {**ROWS, "model": model, "answers": 3, "training": ["schedule.epochs=7"]}
    settings = settings_of(given, template)
    config = training_of(settings)
    assert (config.method, config.model.id, config.schedule.epochs) == (method, model, 7)
    assert config.optimizer.learning_rate == RATES[model, method]
    assert settings.answers == 3
    assert settings_of(settings.model_dump(mode="json")) == settings


def test_a_preset_keeps_its_rate_and_every_wrong_value_is_named():
    config = training_of(settings_of({**ROWS, "preset": "embedded-dpo"}, "fix-a-habit"))
    assert config.optimizer.learning_rate == 3.5e-4 and config.dpo.losses["sft"] == 1.0
    with pytest.raises(ConfigError) as told:
        settings_of({"answers": 99, "model": "embedded"})
    assert {one.field for one in told.value.problems} == {"answers", "data", "goal"}
