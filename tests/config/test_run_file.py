"""Run files: what is refused, and in which words."""

import pytest
import yaml

from studio.config import RunConfig, run_file
from studio.config.fields import field_specs
from studio.config.optimizer import DEFAULT_RATES, OptimizerConfig
from studio.config.settings_reference import reference
from studio.core.errors import ConfigError, NotFoundError
from tests.places import ROOT


def refusal(values: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        run_file.parse(values)
    return str(caught.value)


def test_the_defaults_survive_a_round_trip(tmp_path):
    run_file.save(RunConfig(), tmp_path / "run.yaml")
    assert run_file.load(tmp_path / "run.yaml") == RunConfig()


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({}, 2e-4),
        ({"method": "sft"}, 2e-4),
        ({"method": "dpo"}, 1e-5),
        ({"method": "dpo", "optimizer": {"schedule": "constant"}}, 1e-5),
        ({"method": "dpo", "optimizer": {"learning_rate": 2e-4}}, 2e-4),
        ({"method": "dpo", "optimizer": OptimizerConfig()}, 1e-5),
        ({"method": "dpo", "optimizer": OptimizerConfig(learning_rate=3e-4)}, 3e-4),
    ],
)
def test_the_default_learning_rate_is_that_of_the_method(values, rate):
    config = run_file.parse(values)
    assert config.optimizer.learning_rate == rate
    assert run_file.parse(config.model_dump()).optimizer.learning_rate == rate
    overridden = run_file.override({"optimizer": {}}, [f"method={config.method}"])
    assert run_file.parse(overridden).optimizer.learning_rate == DEFAULT_RATES[config.method]


@pytest.mark.parametrize(
    ("values", "field", "nearest"),
    [
        ({"modle": {}}, "modle", "model"),
        ({"batch": {"per_devise": 2}}, "batch.per_devise", "batch.per_device"),
        ({"adapter": {"rnak": 2}}, "adapter.rnak", "adapter.rank"),
        ({"model": {"image": {"longest": 2}}}, "model.image.longest", "model.image.longest_edge"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(values, field, nearest):
    said = refusal(values)
    assert said.startswith(f"{field}: unknown setting")
    assert f"Did you mean {nearest}?" in said


def test_a_wrong_choice_lists_the_right_ones_and_the_given_one():
    said = refusal({"model": {"quantization": "nf5"}})
    assert "model.quantization" in said and "'nf4'" in said and "'nf5'" in said


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ({"engine": "slurm"}, "give local, accelerate:<config file> or hf-jobs:<flavor>"),
        ({"engine": "hf-jobs:"}, "hf-jobs:a10g-small"),
        ({"timeout": "6x"}, "like 90m or 6h"),
        ({"timeout": "0h"}, "like 90m or 6h"),
    ],
)
def test_where_a_run_goes_is_asked_for_in_words(launch, said):
    with pytest.raises(ConfigError, match="launch") as refused:
        run_file.parse({"launch": launch})
    assert said in str(refused.value) and "pattern" not in str(refused.value)


def test_the_effective_batch_must_be_a_multiple():
    said = refusal({"batch": {"per_device": 3, "total": 16}})
    assert "Set batch.total to 18" in said


def test_every_problem_is_reported_at_once():
    said = refusal({"method": "ppo", "optimizer": {"learning_rate": -1}})
    assert "method" in said and "optimizer.learning_rate" in said


def test_no_yaml_no_file_no_mapping(tmp_path):
    with pytest.raises(NotFoundError):
        run_file.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        run_file.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ConfigError, match="not a mapping"):
        run_file.load(tmp_path / "list.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        run_file.load(tmp_path)


def test_assignments_override_the_file():
    values = run_file.override({"batch": {"total": 4}}, ["batch.total=8", "adapter=null", "name=x"])
    config = run_file.parse(values | {"batch": values["batch"] | {"per_device": 2}})
    assert (config.batch.total, config.adapter, config.name) == (8, None, "x")
    with pytest.raises(ConfigError, match="key=value"):
        run_file.override({}, ["batch.total"])
    with pytest.raises(ConfigError, match="not valid YAML") as caught:
        run_file.override({}, ["adapter.targets=[q_proj"])
    assert caught.value.field == "adapter.targets"


def test_an_unknown_dpo_loss_lists_the_known_ones():
    assert "sigmoid" in refusal({"dpo": {"losses": {"sigmod": 1.0}}})


def test_accumulation_is_derived_and_steps_are_counted():
    config = run_file.parse({"batch": {"per_device": 4, "total": 16}, "schedule": {"epochs": 3}})
    assert config.accumulation == 4
    assert config.total_steps(33) == 9
    limited = config.model_copy(
        update={"schedule": config.schedule.model_copy(update={"max_steps": 5})}
    )
    assert limited.total_steps(33) == 5
    assert limited.total_steps(4) == 5, "whatever the epochs, as transformers has it"
    assert (config.epochs_over(40), limited.epochs_over(40)) == (3, 2)


def test_every_setting_has_words_and_a_place_in_the_form():
    specs = {spec.path: spec for spec in field_specs()}
    assert all(spec.label and spec.help and spec.effect for spec in specs.values())
    assert specs["batch.per_device"].trl == "per_device_train_batch_size"
    assert specs["model.quantization"].choices == ("none", "int8", "nf4", "fp4")
    assert specs["dpo.beta"].method == "dpo"
    assert specs["adapter.rank"].kind == "integer" and specs["adapter.rank"].minimum == 1
    assert specs["model.image.longest_edge"].optional


def test_the_page_of_settings_is_what_its_command_writes():
    page = ROOT / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference(), (
        "run: python -m studio.config.settings_reference > docs/settings.md"
    )


def test_a_run_of_an_earlier_version_goes_on_as_it_began(tmp_path):
    whole = run_file.parse({"data": {"max_length": 100}}).model_dump(mode="json")
    path = tmp_path / "run.yaml"
    run_file.save(run_file.parse(whole), path)
    assert run_file.load_run(path) == run_file.parse(whole)
    del whole["data"]["turns"], whole["data"]["too_long"]
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    data = run_file.load_run(path).data
    assert (data.turns, data.too_long) == ("last", "cut_answer")
    assert (run_file.load(path).data.turns, run_file.load(path).data.too_long) == (
        "all",
        "leave_out",
    )
