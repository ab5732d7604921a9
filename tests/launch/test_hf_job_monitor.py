"""How a job elsewhere is followed: what comes back of it while it goes on and when it ends."""

from __future__ import annotations

from huggingface_hub import HfApi

from studio.launch.hf_job_monitor import follow_remote
from studio.runs.control import command_file
from studio.runs.curves import Diary
from studio.runs.status import update_status
from studio.runs.store import RunStore
from tests.launch.job_runs import TRAINED, job_run, notices


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


def test_without_a_token_nothing_is_sent_and_that_is_said(workspace, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(workspace.root / "none"))
    run = job_run(workspace)
    assert follow_remote(run.paths.root, HfApi(endpoint=hub.url)) == 2
    status = RunStore(workspace).get(run.run_id).status
    assert "no Hugging Face token" in status.message and "hf auth login" in status.remedy
    assert hub.jobs == [] and hub.files == {}
