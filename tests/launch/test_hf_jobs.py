"""Runs as Hugging Face jobs: what is sent, what comes back, and what happens in between."""

import json
import os
import subprocess

import numpy as np
import pytest
from huggingface_hub import HfApi
from safetensors.numpy import load_file, save

from studio.config import run_file
from studio.config.consistency import problems
from studio.config.training import SAVINGS
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.launch import hf_job_monitor, hf_job_script, hf_jobs, remote_files
from studio.launch.hf_job_monitor import follow_remote
from studio.models.model_location import model_path
from studio.runs.control import command_file
from studio.runs.curves import Diary
from studio.runs.status import update_status
from studio.runs.store import RunStore
from tests.launch.jobs_hub import TOKEN, serve

OFF = dict.fromkeys(SAVINGS, "off")
SMALL = {
    "name": "small",
    "adapter": {"rank": 4},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:12]"},
    "optimizer": {"learning_rate": 2e-3},
    "schedule": {"max_steps": 3, "save_every": 100},
    "probes": {"count": 0, "forgetting": None},
    "speed": OFF,
}
PRINTED = ["Loading", "{'loss': '1.5', 'epoch': '0.1'}", "{'loss': '1.25', 'epoch': '0.2'}"]
TRAINED = {
    "adapter_model.safetensors": b"weights",
    "adapter_config.json": b'{"base_model_name_or_path": "/data/model"}',
    "evil.pkl": b"never fetched",
}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def hub(monkeypatch):
    """The stand-in; `hub.api` asks it."""
    state, server = serve()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(hf_job_monitor, "POLL", 0.05)
    monkeypatch.setattr(remote_files, "BETWEEN_TRIES", 0)
    state.api = HfApi(endpoint=state.url, token=TOKEN)
    state.log = list(PRINTED)
    yield state
    server.shutdown()


def config(**launch):
    return run_file.parse({**SMALL, "launch": {"engine": "hf-jobs:a10g-small", **launch}})


def job_run(workspace, **launch):
    from studio.training.script_recipe import write_recipe

    run = RunStore(workspace).create(config(timeout="2h", **launch))
    write_recipe(run.config, run.paths, workspace)
    return run


def notices(run, kind):
    return [n.message for n in Diary(run.paths.events).refresh().notices if n.type == kind]


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


def test_the_shell_script_of_a_job_is_shell(workspace, tmp_path):
    run = job_run(workspace, processes=2)
    shell = hf_jobs.build_job(run, workspace, "ana").folder / "job.sh"
    text = shell.read_text()
    assert subprocess.run(["bash", "-n", str(shell)], check=False).returncode == 0
    assert "accelerate launch --multi_gpu --num_processes 2" in text
    script = shell.with_name("train.py").read_text()
    assert "use_cpu=False," in script and "dtype=torch.bfloat16" in script
    assert "--with torch==" in text and "--with pillow==" in text and "*.bin" not in text
    moved = hf_job_script.job_script("/data/train.py", ["trl"], 1, "ana/x", checkpoints=False)
    assert "checkpoint-" in text and "ls -t out" not in moved and " python /data" in moved


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


def test_a_job_is_sent_once_and_followed_to_its_end(workspace, hub):
    run = job_run(workspace)
    hub.stages = ["SCHEDULING", "RUNNING", "RUNNING", "COMPLETED"]
    hub.files[f"models/ana/studio-{run.run_id}"] = dict(TRAINED)
    command_file.request(run.paths, "save")
    assert follow_remote(run.paths.root, hub.api) == 0
    assert follow_remote(run.paths.root, hub.api) == 0
    assert len(hub.jobs) == 1 and command_file.requested(run.paths) == "none"
    assert any("A job saves by itself" in message for message in notices(run, "changed"))
    diary = Diary(run.paths.events).refresh()
    assert (diary.step, diary.total) == (2, 3), "what an ETA needs"
    assert Diary(run.paths.events).refresh().series["loss"] == [(1, 1.5), (2, 1.25)]
    assert (run.paths.adapter / "adapter_model.safetensors").read_bytes() == b"weights"
    assert not (run.paths.adapter / "evil.pkl").exists() and not notices(run, "warning")


def test_weights_that_do_not_come_back_are_named_and_fetched_the_next_time(workspace, hub):
    run = job_run(workspace)
    assert follow_remote(run.paths.root, hub.api) == 0
    (notice,) = notices(run, "warning")
    assert "holds no weights" in notice
    assert not RunStore(workspace).get(run.run_id).has_adapter
    hub.files[f"models/ana/studio-{run.run_id}"] = dict(TRAINED)
    assert follow_remote(run.paths.root, hub.api) == 0
    assert RunStore(workspace).get(run.run_id).has_adapter


def test_a_stopped_job_is_cancelled_and_leaves_its_last_checkpoint(workspace, hub):
    run = job_run(workspace)
    hub.stages = ["RUNNING"]
    hub.files[f"models/ana/studio-{run.run_id}"] = dict(TRAINED)
    command_file.request(run.paths, "stop")
    assert follow_remote(run.paths.root, hub.api) == 1
    ended = RunStore(workspace).get(run.run_id)
    assert hub.cancelled == 1 and ended.status.state == "stopped" and ended.has_adapter
    assert "The weights the job uploaded last were fetched." in notices(run, "changed")


def test_a_failed_job_says_why(workspace, hub):
    run = job_run(workspace)
    hub.stages, hub.message = ["ERROR"], "Job failed with exit code: 1"
    hub.log += ["Traceback (most recent call last):", "  line", "ValueError: too many colours"]
    assert follow_remote(run.paths.root, hub.api) == 1
    status = RunStore(workspace).get(run.run_id).status
    assert status.state == "failed" and status.message == hub.message and status.remedy
    assert "ValueError: too many colours" in status.lines and not notices(run, "warning")


def test_a_hub_that_is_away_for_a_while_is_waited_for(workspace, hub):
    run = job_run(workspace)
    hub.broken = 3
    assert follow_remote(run.paths.root, hub.api) == 0
    assert hub.broken == 0 and RunStore(workspace).get(run.run_id).status.state == "finished"


def test_a_resumed_run_finds_its_job_while_that_goes_on_and_else_sends_another(workspace, hub):
    run = job_run(workspace)
    follow_remote(run.paths.root, hub.api)
    for attempt, stages, sent in ((1, ["RUNNING", "COMPLETED"], 1), (2, ["ERROR", "COMPLETED"], 2)):
        update_status(run.paths, state="failed", attempt=attempt)
        hub.stages = stages
        assert follow_remote(run.paths.root, hub.api) == 0
        assert len(hub.jobs) == sent


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


def test_a_job_that_could_not_give_its_weights_back_is_refused(workspace):
    run = RunStore(workspace).create(config(secrets=[]))
    with pytest.raises(InputError, match="cannot upload"):
        hf_jobs.build_job(run, workspace, "ana")


def test_a_secret_that_is_not_set_is_refused_before_anything_is_sent(workspace, hub):
    run = job_run(workspace, secrets=["HF_TOKEN", "WANDB_API_KEY"])
    assert "WANDB_API_KEY" not in os.environ
    with pytest.raises(InputError, match="WANDB_API_KEY"):
        hf_jobs.submit(hf_jobs.build_job(run, workspace, "ana"), hub.api)
    assert hub.jobs == [] and hub.files == {}


def test_without_a_token_nothing_is_sent_and_that_is_said(workspace, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(workspace.root / "none"))
    run = job_run(workspace)
    assert follow_remote(run.paths.root, HfApi(endpoint=hub.url)) == 2
    status = RunStore(workspace).get(run.run_id).status
    assert "no Hugging Face token" in status.message and "hf auth login" in status.remedy
    assert hub.jobs == [] and hub.files == {}


def test_a_login_is_as_good_as_the_variable(workspace, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    run = job_run(workspace)
    hf_jobs.submit(hf_jobs.build_job(run, workspace, "ana"), hub.api)
    assert hub.jobs[0]["secrets"] == {"HF_TOKEN": TOKEN}


def test_a_flavor_has_a_gpu_for_each_process():
    (problem,) = problems(config(engine="hf-jobs:l4x1", processes=2))
    assert problem.field == "launch.processes" and "l4x1 has 1 GPU" in problem.message
    assert not problems(config(engine="hf-jobs:l40sx4", processes=2))


def test_a_job_is_not_asked_for_what_only_a_worker_does():
    batch = {**SMALL["batch"], "largest": True}
    (problem,) = problems(
        run_file.parse({**SMALL, "batch": batch, "launch": {"engine": "hf-jobs:l4x1"}})
    )
    assert problem.field == "batch.largest" and "--find-batch" in problem.remedy
