"""The Evaluate tab of an empty workspace."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore
from studio.api.context import StudioContext
from studio.core.paths import Workspace
from studio.runs.store import RunStore
from studio.ui.evaluate.form import EvaluationForm
from studio.ui.evaluate.judge_panel import JudgePanel
from studio.ui.evaluate.state import EvaluationReader
from studio.ui.evaluate.tab import ACTIONS, EvaluateTab
from tests.ui.evaluate.evaluate_tab import FakeSupervisor


@pytest.fixture
def tab(tmp_path):
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(workspace.database_url)
    runs = RunStore(workspace)
    context = StudioContext(workspace, store, None, runs, FakeSupervisor(), None, None)
    made = EvaluateTab(context, EvaluationReader(context))
    made.form = EvaluationForm(context)
    made.judging = JudgePanel(context)
    made.buttons = {name: None for name, *_ in ACTIONS}
    yield made
    store.close()
