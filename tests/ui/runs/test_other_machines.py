"""A run on other machines."""

from __future__ import annotations

from studio.config import run_file
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import view


def test_other_machines_take_a_run_that_nobody_trains_here(tab, run):
    for state, said in (
        ("queued", "Take it off the queue"),
        ("running", "stop it first"),
        ("finished", "longer first"),
        ("stopped", f'data-file="/studio/runs/{run.run_id}/run.sbatch"'),
    ):
        update_status(run.paths, state=state)
        shown = view(tab.show(run.run_id))["elsewhere"]
        assert said in shown and "hf-jobs:" in shown and "data-look" not in shown
    run_file.save(run_file.parse({"launch": {"engine": "hf-jobs:t4-small"}}), run.paths.config)
    assert "data-look" in view(tab.show(run.run_id))["elsewhere"]
    update_status(run.paths, state="running")
    assert "on its way" in view(tab.show(run.run_id))["elsewhere"]
