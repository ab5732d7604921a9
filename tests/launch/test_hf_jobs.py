"""Runs as Hugging Face jobs: what is sent, and what is refused before."""

from __future__ import annotations

import json
import os

import pytest
from safetensors.numpy import load_file

from studio.config import run_file
from studio.config.setting_conflicts import problems
from studio.core.errors import InputError
from studio.launch import hf_jobs
from studio.launch.hf_job_monitor import follow_remote
from studio.models.model_location import model_path
from studio.runs.curves import Diary
from studio.runs.store import RunStore
from tests.launch.job_runs import job_config, job_run, notices
from tests.launch.jobs_hub import TOKEN
from tests.launch.small_run import SMALL


def written(run):
    """Every text of the run's folder."""
    found = (path for path in run.paths.root.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in found)


def test_a_dry_run_shows_what_would_be_sent_without_secrets(workspace, hub):
    run = job_run(workspace)
    shown = hf_jobs.build_job(run, workspace, "ana").to_json()
    assert hub.jobs == [] and hub.files == {}
    sent = set(shown["upload"]["files"])
    assert {"train.py", "job.sh", "rows/train.parquet", "model/model.safetensors"} <= sent
    assert "MODEL = '/data/model'" in (run.paths.root / "job/train.py").read_text()
    assert TOKEN not in json.dumps(shown)
    assert shown["upload"]["private"] is True and shown["output"]["private"] is True
    follow_remote(run.paths.root, hub.api)
    (body,) = hub.jobs
    assert body.pop("secrets") == {"HF_TOKEN": TOKEN}
    assert shown["job"]["body"].pop("secrets") == {"HF_TOKEN": "<the value of HF_TOKEN>"}
    assert shown["job"] == {"namespace": "ana", "body": body}
    assert body["timeoutSeconds"] == 7200 and body["flavor"] == "a10g-small"
    assert set(hub.files[f"datasets/{shown['upload']['repository']}"]) - {".gitattributes"} == sent


def test_a_job_trains_the_run_and_its_adapter_comes_back(workspace, hub, tmp_path, monkeypatch):
    """The job is really run, as it was sent."""
    from studio.training.run_training import execute

    here = RunStore(workspace).create(run_file.parse(SMALL))
    execute(here.config, here.paths, workspace)
    run = job_run(workspace, engine="hf-jobs:cpu-basic")
    monkeypatch.setattr(hf_jobs, "MOUNT", str(run.paths.root / "job"))
    hub.folder, hub.log = tmp_path / "machine", []
    hub.folder.mkdir()
    assert follow_remote(run.paths.root, hub.api) == 0, "\n".join(hub.log)
    ended = RunStore(workspace).get(run.run_id)
    assert ended.status.state == "finished" and ended.has_adapter, "\n".join(hub.log)
    assert (ended.status.step, ended.status.total_steps) == (3, 3)
    there, alone = (dict(Diary(r.paths.events).refresh().series["loss"]) for r in (run, here))
    assert there == pytest.approx(alone, rel=1e-3) and len(alone) == 3  # printed with four digits
    back, kept = (load_file(r.paths.adapter / "adapter_model.safetensors") for r in (run, here))
    assert back.keys() == kept.keys()
    assert all(back[name] == pytest.approx(kept[name], abs=1e-4) for name in kept)
    about = json.loads((run.paths.adapter / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == model_path("embedded")
    assert not notices(run, "warning") and TOKEN.encode() not in written(run)


def test_a_job_that_could_not_give_its_weights_back_is_refused(workspace):
    run = RunStore(workspace).create(job_config(secrets=[]))
    with pytest.raises(InputError, match="cannot upload"):
        hf_jobs.build_job(run, workspace, "ana")


def test_a_secret_that_is_not_set_is_refused_before_anything_is_sent(workspace, hub):
    run = job_run(workspace, secrets=["HF_TOKEN", "WANDB_API_KEY"])
    assert "WANDB_API_KEY" not in os.environ
    with pytest.raises(InputError, match="WANDB_API_KEY"):
        hf_jobs.submit(hf_jobs.build_job(run, workspace, "ana"), hub.api)
    assert hub.jobs == [] and hub.files == {}


def test_a_login_is_as_good_as_the_variable(workspace, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    run = job_run(workspace)
    hf_jobs.submit(hf_jobs.build_job(run, workspace, "ana"), hub.api)
    assert hub.jobs[0]["secrets"] == {"HF_TOKEN": TOKEN}


def test_a_flavor_has_a_gpu_for_each_process():
    (problem,) = problems(job_config(engine="hf-jobs:l4x1", processes=2))
    assert problem.field == "launch.processes" and "l4x1 has 1 GPU" in problem.message
    assert not problems(job_config(engine="hf-jobs:l40sx4", processes=2))


def test_a_job_is_not_asked_for_what_only_a_worker_does():
    batch = {**SMALL["batch"], "largest": True}
    (problem,) = problems(
        run_file.parse({**SMALL, "batch": batch, "launch": {"engine": "hf-jobs:l4x1"}})
    )
    assert problem.field == "batch.largest" and "--find-batch" in problem.remedy
