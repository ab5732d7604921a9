"""Runs that are trained as jobs elsewhere, and what their diaries say."""

from __future__ import annotations

from studio.runs.curves import Diary
from studio.runs.store import RunStore
from tests.launch.small_run import config

TRAINED = {
    "adapter_model.safetensors": b"weights",
    "adapter_config.json": b'{"base_model_name_or_path": "/data/model"}',
    "evil.pkl": b"never fetched",
}


def job_config(**launch):
    """The settings of a small run as a job."""
    return config(**{"engine": "hf-jobs:a10g-small", **launch})


def job_run(workspace, **launch):
    """A run with its recipe, as it is before it is sent."""
    from studio.training.script_recipe import write_recipe

    run = RunStore(workspace).create(job_config(timeout="2h", **launch))
    write_recipe(run.config, run.paths, workspace)
    return run


def notices(run, kind):
    return [n.message for n in Diary(run.paths.events).refresh().notices if n.type == kind]
