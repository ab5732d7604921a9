"""Runs beside weights that their checkpoint holds quantized; and none beside weights that lack."""

import json
import subprocess
from functools import cache

import pytest
import torch

from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.inference.engine import Engine
from studio.inference.protocol import user_turn
from studio.inference.sampling import Sampling
from studio.launch.training_script import eject
from studio.runs.status import read_status
from studio.runs.store import RunStore
from studio.training.planning.preflight_plan import plan_run
from studio.training.worker import main as worker
from tests.models.checkpoints import DAMAGED, eight_bit, four_bit, fp8

MAKE = {"nf4": four_bit, "int8": eight_bit, "none": fp8}


@pytest.fixture(scope="module")
def runner(shared_runner):
    return shared_runner


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: str(make(root / name)) for name, make in MAKE.items()}


@pytest.fixture(scope="module")
def trained(runner, folders):
    """The plan and the finished run of a method on such a model, made when first asked for."""

    @cache
    def of(holds, method):
        config = runner.config(method=method, model={"id": folders[holds]})
        plan, _ = plan_run(config, runner.workspace)
        run, ended = runner.run(config)
        assert ended == "finished"
        return plan, run

    return of


@pytest.mark.parametrize(("holds", "method"), [("nf4", "sft"), ("int8", "dpo"), ("none", "sft")])
def test_they_train_and_answer(runner, folders, trained, holds, method):
    plan, run = trained(holds, method)
    assert plan.quantization == holds
    assert any(note.startswith("The model holds") for note in plan.warnings)
    assert not any("nf4" in str(item.changes) for item in plan.suggestions)
    losses = runner.values(run, "loss")
    if method == "dpo":
        assert losses[0] == pytest.approx(0.693147, abs=1e-4)
    ours = runner.config(
        method=method,
        model={"quantization": holds, "double_quantization": False},
        schedule={"max_steps": 1},
    )
    same, _ = runner.run(ours)
    close = 2e-2 if holds == "none" else 1e-3  # FP8 has three bits of mantissa
    assert losses[0] == pytest.approx(runner.values(same, "loss")[0], rel=close, abs=close)
    asked = (user_turn("Read out the data.", 0),)
    engine, model = Engine(), ModelConfig(id=folders[holds])
    for adapter in (None, run.paths.adapter):
        assert list(engine.chat(model, adapter, asked, [], Sampling(max_new_tokens=4)))[-1].done


@pytest.mark.parametrize("holds", ["nf4", "int8"])
def test_training_them_whole_is_refused(runner, folders, holds):
    with pytest.raises(InputError, match="holds quantized weights") as caught:
        plan_run(runner.config(model={"id": folders[holds]}, adapter=None), runner.workspace)
    assert caught.value.field == "adapter" and "adapter" in caught.value.remedy


def test_rules_of_qlora_hold_for_them(runner, folders):
    model = {"id": folders["nf4"]}
    for adapter, field in (
        ({"init": "pissa"}, "adapter.init"),
        ({"modules_to_save": ["up_proj"]}, "adapter.modules_to_save"),
    ):
        with pytest.raises(InputError) as caught:
            plan_run(runner.config(model=model, adapter=adapter), runner.workspace)
        assert caught.value.field == field
    eight = runner.config(model={"id": folders["int8"]}, adapter={"dora": True})
    with pytest.raises(InputError, match="DoRA with int8") as caught:
        plan_run(eight, runner.workspace)
    assert caught.value.field == "adapter.dora"
    with pytest.raises(InputError) as caught:
        plan_run(runner.config(model=model | {"quantization": "int8"}), runner.workspace)
    assert caught.value.field == "model.quantization"


@pytest.mark.parametrize("holds", ["nf4", "none"])
def test_the_script_of_such_a_run_trains_it(runner, trained, holds, tmp_path, python):
    _, run = trained(holds, "sft")
    script, *_ = eject(RunStore(runner.workspace).get(run.run_id), runner.workspace, tmp_path)
    assert "config.quantization_config = {" in script.read_text()
    done = subprocess.run(
        [python, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    state = json.loads(next(tmp_path.glob("out/checkpoint-*/trainer_state.json")).read_text())
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    assert losses == pytest.approx(runner.values(run, "loss"), abs=1e-3)
    assert torch.isfinite(torch.tensor(losses)).all()


@pytest.mark.parametrize("make", DAMAGED.values(), ids=DAMAGED)
def test_a_run_on_a_damaged_model_is_never_finished(runner, tmp_path, make):
    config = runner.config(model={"id": str(make(tmp_path / "model"))})
    with pytest.raises(InputError) as caught:
        plan_run(config, runner.workspace)
    assert caught.value.field == "model.id" and caught.value.remedy
    run = runner.store.create(config)
    assert worker(run.paths.root) == 2
    status = read_status(run.paths)
    assert status.state == "failed" and status.message == caught.value.message
    assert not run.paths.adapter.exists()
