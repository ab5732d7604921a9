"""The lines of a script do to a trainer what the studio does to its own."""

import pytest

from studio.models.load import skeleton_of
from studio.training import trainers
from studio.training.script_lines import lines_of, prefixes_of
from tests.training.one_step import OneStep


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("lines"))


def rates(trainer):
    names = {id(p): n for n, p in trainer.model.named_parameters()}
    groups = trainer.optimizer.param_groups
    return {names[id(p)]: pytest.approx(g["lr"]) for g in groups for p in g["params"]}


def test_rates_in_the_script_are_those_of_the_run(one, monkeypatch):
    config = one.config(
        adapter={"targets": "vision+language", "lora_plus_ratio": 4},
        optimizer={"tower_rates": {"vision": 1e-5}},
    )
    wanted = rates(one.trainer(config))
    monkeypatch.setattr(trainers, "set_rates", lambda *_: None)
    bare = one.trainer(config)
    lines = lines_of(config, skeleton_of(config.model), one.workspace)
    exec("\n".join(lines.after_trainer), {"trainer": bare})
    assert rates(bare) == wanted and len(set(map(str, wanted.values()))) == 4


def test_parts_are_told_by_the_beginnings_of_their_names(one):
    config = one.config(adapter=None, optimizer={"freeze": ["vision", "projector"]})
    model = skeleton_of(config.model)
    lines = lines_of(config, model, one.workspace)
    exec("\n".join(lines.before_trainer), {"model": model})
    trained = {n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"text_model", "weight"}
    assert prefixes_of(model, "head") == ["lm_head"]


def test_weights_moved_into_the_adapter_are_saved_as_the_run_saves_them(one):
    config = one.config(adapter={"init": "pissa"})
    lines = lines_of(config, skeleton_of(config.model), one.workspace)
    assert "out/start" in lines.after_trainer[0]
    assert "path_initial_model_for_weight_conversion" in lines.save[0]
    plain = lines_of(one.config(), skeleton_of(config.model), one.workspace)
    assert plain.to_json() == {"before_trainer": [], "after_trainer": [], "save": []}
