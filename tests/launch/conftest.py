"""A workspace, and a stand-in for the hub."""

from __future__ import annotations

import pytest
from huggingface_hub import HfApi

from studio.core.paths import Workspace
from studio.launch import hf_job_monitor, remote_files
from tests.launch.jobs_hub import TOKEN, serve

PRINTED = ["Loading", "{'loss': '1.5', 'epoch': '0.1'}", "{'loss': '1.25', 'epoch': '0.2'}"]


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
