"""A plan is worked out once: whatever changes it is another plan, and refusals come every time."""

import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.errors import DataError, ModelError
from studio.core.paths import TINY_VLM, read_json
from studio.training.planning import preflight_plan as planning
from studio.training.planning import result_cache
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.dry_step import RAN_OUT, Measured
from studio.training.planning.dry_step_cache import remember
from studio.training.planning.plan_cache import model_folder, planned_once
from studio.training.planning.preflight_plan import checked, plan_run
from studio.training.run_rows import RunData
from tests.training.conftest import Runner


@pytest.fixture(scope="module")
def planned(shared_runner):
    """What a usual run starts from, and its plan."""
    config = shared_runner.config(data={"train": "train[:40]"})
    start = checked(config, shared_runner.workspace)
    return start, plan_run(config, shared_runner.workspace)[0]


@pytest.fixture
def runner(workspace_of, tmp_path):
    """A workspace of its own for each test."""
    return Runner(workspace_of(tmp_path / "workspace"))


@pytest.fixture
def usual(planned, runner):
    """The same in a workspace that knows no plan."""
    start, plan = planned
    return replace(start, workspace=runner.workspace), plan


def count(start, plan):
    """Plans worked out for this start: none when one is known."""
    made = []
    assert planned_once(start, lambda: made.append(1) or plan) == plan
    return len(made)


def test_a_kept_plan_is_the_fresh_one(runner):
    tight = runner.config(data={"train": "train[:40]"}, batch={"per_device": 2, "total": 64})
    small = Target("cuda", int(0.69 * GIB))
    for target in (None, small):
        fresh, rows = plan_run(tight, runner.workspace, target)
        kept, again = plan_run(tight, runner.workspace, target)
        assert kept == fresh and fresh.warnings
        assert again.identity == rows.identity
    assert fresh.suggestions
    assert len(list(runner.workspace.plans.iterdir())) == 2


def test_a_run_with_a_known_plan_samples_and_traces_nothing(planned, shared_runner, monkeypatch):
    start, plan = planned
    for name in ("sample_rows", "skeleton_of", "tower_plans", "estimate"):
        monkeypatch.delattr(planning, name)
    run, outcome = shared_runner.run(start.config)
    assert outcome == "finished"
    assert read_json(run.paths.plan) == plan.to_json()


def test_whatever_changes_a_plan_makes_another(usual, shared_runner):
    start, plan = usual
    assert [count(start, plan) for _ in range(2)] == [1, 0]
    train = start.data.train
    fewer = replace(train, dataset=train.dataset.select(range(39)), used=39)
    turned = replace(train, dataset=train.dataset.select([1, 0, *range(2, 40)]))
    small_images = ModelConfig(image={"longest_edge": 64})
    others = (
        replace(start, config=shared_runner.config(optimizer={"learning_rate": 1e-3})),
        replace(start, config=start.config.model_copy(update={"model": small_images})),
        replace(start, data=RunData(fewer, None)),
        replace(start, data=RunData(turned, None)),
        replace(start, data=RunData(train, fewer)),
        replace(start, target=Target("cuda", start.target.memory)),
        replace(start, target=Target(start.target.kind, start.target.memory + 1)),
        replace(start, dtype=torch.bfloat16),
        replace(start, processor=None),
    )
    assert [count(other, plan) for other in others] == [1] * len(others)
    named = {"name": "another", "push_to_hub": "me/it"}
    assert count(replace(start, config=start.config.model_copy(update=named)), plan) == 0


def test_other_files_of_the_model_or_an_adapter_make_another_plan(usual, tmp_path):
    start, plan = usual
    folder, adapter = tmp_path / "model", tmp_path / "adapter"
    shutil.copytree(TINY_VLM, folder)
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    (adapter / "adapter_model.safetensors").write_bytes(b"1")
    config = start.config.model_copy(update={"model": ModelConfig(id=str(folder))})
    start = replace(start, config=config, adapters=(adapter,))
    assert count(start, plan) == 1
    for file in (
        folder / "model.safetensors",
        folder / "config.json",
        folder / "processor_config.json",
        folder / "chat_template.jinja",
        adapter / "adapter_config.json",
        adapter / "adapter_model.safetensors",
    ):
        file.write_bytes(file.read_bytes() + b"\n")
        assert [count(start, plan) for _ in range(2)] == [1, 0], file.name


def test_other_code_and_libraries_make_another_plan(usual, monkeypatch):
    start, plan = usual
    count(start, plan)
    monkeypatch.setattr(
        "studio.training.planning.plan_cache.libraries", lambda: ["torch of tomorrow"]
    )
    assert count(start, plan) == 1
    monkeypatch.setattr("studio.training.planning.plan_cache.code_of", lambda *_: "changed")
    assert count(start, plan) == 1


def test_a_dry_step_made_since_is_part_of_the_plan(planned):
    start, plan = planned
    config, workspace = start.config, start.workspace
    remember(config, plan, Measured(plan.memory.total + 10**6, 2.0), workspace)
    for _ in range(2):
        measured, _ = plan_run(config, workspace)
        assert measured.memory.total == measured.peak_measured == plan.memory.total + 10**6
    remember(config, plan, Measured(None, None), workspace)
    assert plan_run(config, workspace)[0].warnings[0] == RAN_OUT
    shutil.rmtree(workspace.dry_steps)
    assert plan_run(config, workspace)[0] == plan


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"plan": {"towers": 3}, "measured": null}'])
def test_a_damaged_note_is_as_if_there_were_none(usual, text):
    start, plan = usual
    count(start, plan)
    (note,) = start.workspace.plans.iterdir()
    note.write_text(text, encoding="utf-8")
    assert [count(start, plan) for _ in range(2)] == [1, 0]


def test_refusals_come_every_time_and_nothing_is_kept_of_them(shared_runner):
    kept = list(shared_runner.workspace.plans.glob("*"))
    wrong = shared_runner.config(adapter={"targets": ["nothing_like_it"]})
    for _ in range(2):
        with pytest.raises(ModelError):
            plan_run(wrong, shared_runner.workspace)
    assert list(shared_runner.workspace.plans.glob("*")) == kept


def test_rows_that_are_gone_are_refused_although_the_plan_is_known(runner, tmp_path):
    rows = tmp_path / "rows.jsonl"
    Image.new("RGB", (32, 32), "red").save(tmp_path / "one.png")
    rows.write_text('{"image": "one.png", "prompt": "What?", "completion": "Red."}\n')
    config = runner.config(data={"source": str(rows)}, batch={"per_device": 1, "total": 1})
    plan_run(config, runner.workspace)
    rows.unlink()
    with pytest.raises(DataError):
        plan_run(config, runner.workspace)


def test_a_model_of_unknown_files_is_planned_each_time(usual):
    start, plan = usual
    assert model_folder(ModelConfig(id="nobody/nothing-cached")) is None
    elsewhere = ModelConfig(id="nobody/nothing-cached")
    start = replace(start, config=start.config.model_copy(update={"model": elsewhere}))
    assert [count(start, plan) for _ in range(2)] == [1, 1]


def test_old_plans_make_room(usual, monkeypatch):
    start, plan = usual
    monkeypatch.setattr(result_cache, "MOST_KEPT", 3)
    for memory in range(1, 6):
        count(replace(start, target=Target("cpu", memory)), plan)
    assert len(list(start.workspace.plans.iterdir())) == 3
