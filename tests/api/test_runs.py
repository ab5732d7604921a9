"""What can be downloaded of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api import runs
from studio.api.context import StudioContext
from studio.config import RunConfig, run_file
from studio.core.paths import Workspace
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from studio.runs.store import Run, RunStore

LOCAL = "http://127.0.0.1"


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(Workspace.locate(tmp_path))


@pytest.fixture
def client(store: RunStore) -> TestClient:
    app = FastAPI()
    context = StudioContext(store.workspace, None, None, store, None, None, None)
    app.include_router(runs.router(context))
    return TestClient(app, base_url=LOCAL)


def made(store: RunStore, name: str, loss: float) -> Run:
    run = store.create(RunConfig(name=name))
    EventLog(run.paths.events).append("metrics", step=1, loss=loss)
    return run


def test_one_table_of_one_run_or_of_those_compared(client: TestClient, store: RunStore) -> None:
    one, two = made(store, "one", 0.5), made(store, "two", 0.25)
    alone = client.get(f"/studio/runs/{one.run_id}/metrics.csv")
    assert (
        alone.text == "step,loss\n1,0.5\n" and "attachment" in alone.headers["content-disposition"]
    )
    both = client.get(f"/studio/runs/{one.run_id}/metrics.csv?with={two.run_id}")
    assert both.text == f"run,step,loss\n{one.run_id},1,0.5\n{two.run_id},1,0.25\n"
    assert client.get(f"/studio/runs/{one.run_id}/metrics.csv?with=../x").status_code == 404


def test_a_cluster_is_given_a_script_or_the_reason_why_not(client, store) -> None:
    run = made(store, "one", 0.5)
    address = f"/studio/runs/{run.run_id}/run.sbatch"
    answer = client.get(address, params={"gpus": 2, "partition": "gpu", "account": "", "setup": ""})
    assert "--gpus-per-node=2" in answer.text and "--partition=gpu" in answer.text
    assert f"{run.run_id}.sbatch" in answer.headers["content-disposition"]
    for wrong in ({"gpus": 0}, {"hours": "x"}, {"partition": "a b"}, {"gpus": 7}):
        answer = client.get(address, params=wrong)
        assert answer.status_code == 422 and answer.json()["message"], wrong


def test_what_a_job_would_be_sent_is_shown_with_secrets_by_name(
    client, store, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_value")
    monkeypatch.delenv("OTHER_KEY", raising=False)
    launch = {"engine": "hf-jobs:t4-small", "secrets": ["HF_TOKEN", "OTHER_KEY"]}
    config = run_file.parse({"launch": launch})
    run = store.create(config, state="stopped")
    script = tmp_path / "train.py"
    script.write_text("pass\n")
    monkeypatch.setattr("studio.launch.hf_jobs.pack", lambda *_: [script])
    monkeypatch.setattr("studio.launch.hf_jobs._shell", lambda *_: "true\n")
    answer = client.get(f"/studio/runs/{run.run_id}/job")
    told = answer.json()
    assert told["sent"]["job"]["body"]["flavor"] == "t4-small"
    assert told["sent"]["upload"]["repository"] == f"<account>/studio-{run.run_id}"
    assert "hf_value" not in answer.text and "OTHER_KEY" in told["trouble"]
    assert "HF_TOKEN" not in told["trouble"]
    update_status(run.paths, state="running")
    assert client.get(f"/studio/runs/{run.run_id}/job").status_code == 409
    other = made(store, "local", 1.0)
    refused = client.get(f"/studio/runs/{other.run_id}/job")
    assert refused.status_code == 422 and "hf-jobs:" in refused.json()["remedy"]


def test_the_log_is_shown_as_text_whatever_is_in_it(client: TestClient, store: RunStore) -> None:
    run = made(store, "one", 0.5)
    assert client.get(f"/studio/runs/{run.run_id}/log.txt").status_code == 404
    run.paths.log.write_text("<script>alert(1)</script>\n")
    answer = client.get(f"/studio/runs/{run.run_id}/log.txt")
    assert answer.text == "<script>alert(1)</script>\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
