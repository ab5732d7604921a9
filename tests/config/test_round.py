"""Settings of a round: templates, what overrides them, and what training makes of them."""

import pytest

from studio.config.round import TEMPLATES, settings_of, training_of
from studio.core.errors import ConfigError

ROWS = {"model": "embedded", "data": "library:a", "goal": "library:b"}


@pytest.mark.parametrize(("template", "method"), zip(TEMPLATES, ("dpo", "sft", "dpo"), strict=True))
def test_a_template_trains_and_what_is_given_comes_after_it(template, method):
    settings = settings_of({**ROWS, "answers": 3, "training": ["schedule.epochs=7"]}, template)
    config = training_of(settings)
    assert (config.method, config.model.id, config.schedule.epochs) == (method, "embedded", 7)
    assert settings.answers == 3 and config.optimizer.learning_rate == {"dpo": 1e-5, "sft": 2e-4}[method]  # fmt: skip
    assert settings_of(settings.model_dump(mode="json")) == settings


def test_a_preset_keeps_its_rate_and_every_wrong_value_is_named():
    config = training_of(settings_of({**ROWS, "preset": "embedded-dpo"}, "fix-a-habit"))
    assert config.optimizer.learning_rate == 3.5e-4 and config.dpo.losses["sft"] == 1.0
    with pytest.raises(ConfigError) as told:
        settings_of({"answers": 99, "model": "embedded"})
    assert {one.field for one in told.value.problems} == {"answers"}
