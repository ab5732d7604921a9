"""What a resumed run may change, and what it is told of the rest."""

import pytest

from studio.config import RunConfig, run_file
from studio.core.errors import ConfigError
from studio.runs.control.resumable_changes import ensure_resumable


def test_what_a_resumed_run_may_not_change_is_named_in_its_message():
    """The status and the head show the message alone."""
    was = RunConfig().model_dump(mode="json")
    changed = {"optimizer": {"learning_rate": 0.002}, "batch": {"total": 64}}
    with pytest.raises(ConfigError) as caught:
        ensure_resumable(was, run_file.parse(changed))
    rate = was["optimizer"]["learning_rate"]
    assert f"optimizer.learning_rate was {rate!r} when the run began and is" in caught.value.message
    assert "batch.total was" in caught.value.message
    assert caught.value.remedy.count("clone it") == 1


def test_length_may_change_between_attempts_but_not_what_is_learned():
    was = RunConfig(name="one").model_dump(mode="json")
    ensure_resumable(was, run_file.parse({"name": "two", "schedule": {"epochs": 9}}))
    changed = {"optimizer": {"learning_rate": 0.5}, "data": {"source": "embedded:preferences"}}
    with pytest.raises(ConfigError) as caught:
        ensure_resumable(was, run_file.parse(changed))
    found = {problem.field: problem.message for problem in caught.value.problems}
    assert set(found) == {"optimizer.learning_rate", "data.source"}
    assert (
        "0.0002" in found["optimizer.learning_rate"] and "0.5" in found["optimizer.learning_rate"]
    )


def test_a_setting_of_a_later_version_is_no_difference():
    was = RunConfig().model_dump(mode="json")
    del was["optimizer"]["max_grad_norm"]
    ensure_resumable(was, RunConfig())
