"""The Train tab."""

from __future__ import annotations

import pytest

from studio.api.context import StudioContext
from studio.core.paths import Workspace
from studio.runs.store import RunStore
from studio.ui.train.tab import TrainTab
from tests.ui.fake_planner import FakePlanner
from tests.ui.train.train_tab import FakeSupervisor


@pytest.fixture
def tab(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.ui.train.plan.SETTLE_SECONDS", 0)
    monkeypatch.setattr("studio.ui.train.plan.LOOK_SECONDS", 0)
    workspace = Workspace.locate(tmp_path)
    context = StudioContext(
        workspace, None, None, RunStore(workspace), FakeSupervisor(), FakePlanner(), None
    )
    return TrainTab(context)
