"""Checks in the background, with a child that is the real one and a child that is not."""

from __future__ import annotations

import sys
import threading

import pytest

from studio.annotation import AnnotationStore
from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker
from studio.core.errors import BusyError, ModelError
from studio.core.paths import Workspace
from studio.data.schema import Answer, Message, Part, Row
from studio.preflight.client import Checker, CheckStatus
from tests.preflight.conftest import drawing, saved

FAKE = """
import sys
from studio.core.child_server import serve
from studio.core.errors import StoppedError

def handle(request):
    yield {"step": {"stage": "rows", "done": 1, "total": 4}}
    request.cancelled.wait(30)
    raise StoppedError("The check was stopped.")

serve(handle)
"""


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def slow(workspace):
    """A checker whose child is never done."""
    command = [sys.executable, "-c", FAKE]
    opened = Checker(workspace, child=PipeWorker([], workspace.root / "log", command=command))
    yield opened
    opened.close()


def dataset(workspace: Workspace) -> str:
    """Three rows in the library, two of them the same; returns the image's sha256."""
    from studio.data.image_store import ImageStore

    sha = ImageStore(workspace).add(saved(drawing(1)))
    prompt = (Message("user", (Part("image"), Part("text", "How many bars?"))),)
    pairs = [("1", "three"), ("2", "three"), ("3", "four")]
    store = AnnotationStore(workspace.database_url)
    store.add_rows("mine", [Row(name, (sha,), prompt, Answer(text)) for name, text in pairs])
    store.close()
    return sha


@pytest.mark.usefixtures("forked")
def test_a_dataset_is_checked_kept_and_its_images_shown(workspace):
    sha = dataset(workspace)
    checker = Checker(workspace)
    assert checker.kept("mine") is None
    checker.start("mine", ModelConfig(), max_length=30)
    assert checker.wait(120).state == "done", checker.status
    kept = checker.kept("mine")
    assert kept.report.rows == 3 and kept.report.duplicates == 1
    assert kept.report.tokens.images_median == 39
    assert kept.report.truncation.through_images == 3
    assert Checker(workspace, child=object()).kept("mine") == kept
    shown = checker.show(sha, ModelConfig())
    assert (shown.tiles, shown.width, shown.height) == (1, 96, 96)
    assert (shown.tokens, shown.original) == (39, (160, 120))
    assert shown.picture.startswith("data:image/png;base64,")
    with pytest.raises(ModelError, match="no-such/model"):
        checker.show(sha, ModelConfig(id="/no-such/model"))
    checker.start("gone", ModelConfig())
    assert "no dataset 'gone'" in checker.wait(60).error
    checker.close()


def test_one_check_at_a_time_and_it_can_be_stopped(slow):
    assert slow.status.state == "idle"
    slow.start("mine", ModelConfig())
    with pytest.raises(BusyError, match="mine is still being checked"):
        slow.start("other", ModelConfig())
    for _ in range(600):
        if slow.status.stage == "rows":
            break
        threading.Event().wait(0.05)
    slow.stop()
    assert slow.wait(30).state == "stopped"
    assert slow.kept("mine") is None
    slow.start("other", ModelConfig())


def test_a_child_that_dies_is_said(slow):
    slow.start("mine", ModelConfig())
    slow.close()
    status = slow.wait(30)
    assert status.state == "failed" and status.error


def test_time_left_follows_the_rate_once_it_is_steady():
    going = CheckStatus(1, "checking", "mine", "rows", done=100, total=400, seconds=10)
    assert going.seconds_left == pytest.approx(30)
    assert CheckStatus(seconds=1, done=1, total=4).seconds_left is None
    assert CheckStatus(seconds=9, done=0, total=4).seconds_left is None
    assert CheckStatus(seconds=9, done=3, total=None).seconds_left is None
