"""The Runs tab, and a run in it."""

from __future__ import annotations

import pytest

from studio.api.context import StudioContext
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.runs.event_log import EventLog
from studio.runs.store import RunStore
from studio.ui.runs.state import RunReader
from studio.ui.runs.tab import RunsTab
from tests.ui.runs.runs_tab import BUTTONS, FakeSupervisor


@pytest.fixture
def tab(tmp_path):
    workspace = Workspace.locate(tmp_path)
    store = RunStore(workspace)
    context = StudioContext(workspace, None, None, store, FakeSupervisor(), None, None)
    made = RunsTab(context, RunReader(store))
    made.buttons = dict.fromkeys(BUTTONS)
    return made


@pytest.fixture
def run(tab):
    made = tab.context.runs.create(RunConfig(name="<i>mine</i>", method="dpo"))
    log = EventLog(made.paths.events)
    for step in (1, 2, 3):
        log.append("metrics", step=step, loss=3.0 / step, **{"rewards/margins": step / 10})
    log.append("progress", step=3, total=10, seconds_per_step=60.0)
    made.paths.log.write_text("line <script>\n")
    return made
