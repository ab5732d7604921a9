"""What goes along with a job, and what comes back from it."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import save

from studio.config import run_file
from studio.launch import hf_jobs
from studio.launch.hf_job_monitor import follow_remote
from studio.runs.store import RunStore
from tests.launch.job_runs import TRAINED, job_run, notices
from tests.launch.small_run import SMALL


def test_weights_that_do_not_come_back_are_named_and_fetched_the_next_time(workspace, hub):
    run = job_run(workspace)
    assert follow_remote(run.paths.root, hub.api) == 0
    (notice,) = notices(run, "warning")
    assert "holds no weights" in notice
    assert not RunStore(workspace).get(run.run_id).has_adapter
    hub.files[f"models/ana/studio-{run.run_id}"] = dict(TRAINED)
    assert follow_remote(run.paths.root, hub.api) == 0
    assert RunStore(workspace).get(run.run_id).has_adapter


def test_what_a_run_starts_from_goes_along(workspace, tmp_path, hub):
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        about = {"base_model_name_or_path": "embedded", "r": 4}
        (folder / "adapter_config.json").write_text(json.dumps(about))
        weights = save({"weight": np.zeros(2, "float32")})
        (folder / "adapter_model.safetensors").write_bytes(weights)
    values = {
        **SMALL,
        "method": "dpo",
        "adapter": {"continue_from": str(tmp_path / "first")},
        "dpo": {"reference": str(tmp_path / "second")},
        "data": {"source": "embedded:preferences", "train": "train[:4]"},
        "launch": {"engine": "hf-jobs:a10g-small"},
    }
    from studio.training.script_recipe import write_recipe

    run = RunStore(workspace).create(run_file.parse(values))
    write_recipe(run.config, run.paths, workspace)
    job = hf_jobs.build_job(run, workspace, "ana")
    names = {str(path.relative_to(job.folder)) for path in job.files}
    assert {"adapter/adapter_model.safetensors", "reference/adapter_config.json"} <= names
    text = job.files[0].read_text()
    assert "'/data/adapter', is_trainable=True" in text
    assert "load_adapter('/data/reference'" in text and str(tmp_path) not in text
