"""Which plans a measurement is remembered for."""

from dataclasses import replace

from studio.core.paths import Workspace
from studio.training.planning.dry_step import Measured
from studio.training.planning.dry_step_cache import recall, remember
from studio.training.planning.preflight_plan import plan_run


def test_a_dry_step_is_remembered_for_the_same_settings_only(runner, usual, tmp_path):
    (config, plan), workspace = usual, Workspace.locate(tmp_path)
    remember(config, plan, Measured(plan.memory.total + 10**9, 2.0), workspace)
    again, _ = plan_run(config, workspace)
    assert again.peak_measured == again.memory.total == plan.memory.total + 10**9
    assert again.seconds_per_step == 2.0
    renamed = config.model_copy(update={"name": "another"})
    assert recall(renamed, plan, workspace) is not None
    larger = runner.config(batch={"per_device": 2, "total": 4})
    assert recall(larger, plan, workspace) is None
    assert recall(config, replace(plan, tokens_max=9999), workspace) is None
    (note,) = workspace.dry_steps.iterdir()
    note.write_text("{", encoding="utf-8")
    assert recall(config, plan, workspace) is None
