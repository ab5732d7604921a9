"""Run files: what is refused, and in which words."""

import pytest
import yaml

from studio.config import RunConfig, run_file
from studio.core.errors import ConfigError, NotFoundError
from tests.config.conftest import refusal


def test_the_defaults_survive_a_round_trip(tmp_path):
    run_file.save(RunConfig(), tmp_path / "run.yaml")
    assert run_file.load(tmp_path / "run.yaml") == RunConfig()


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
