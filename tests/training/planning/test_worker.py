"""The planning child: it says what is loading, and passes on what went wrong."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from studio.config import RunConfig
from studio.core.child_server import Request
from studio.core.paths import Workspace
from studio.runs.lr_range_result import Point, RangeResult
from studio.training.planning import worker
from studio.training.planning.worker import Libraries


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """Libraries of two stages; nothing is done when nobody asks."""
    monkeypatch.setattr(worker, "STAGES", (("numbers", ("math",)), ("words", ("string",))))
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 60.0)
    made = Libraries(Workspace.locate(tmp_path))
    yield made
    made._asked.set()


def told(generator):
    """What a generator yields, and what it returns."""
    found = []
    try:
        while True:
            found.append(next(generator))
    except StopIteration as end:
        return found, end.value


def test_each_stage_is_told_while_it_loads(libraries, monkeypatch):
    go_on = threading.Semaphore(0)
    slow = SimpleNamespace(import_module=lambda name: go_on.acquire())
    monkeypatch.setattr(worker, "importlib", slow)
    libraries.load()
    asked = libraries.progress()
    assert next(asked) == {"loading": "numbers"}
    go_on.release()
    assert next(asked) == {"loading": "words"}
    go_on.release()
    assert told(asked) == ([], {})
    libraries.ensure()
    assert libraries.stage == ""


def test_what_cannot_be_loaded_is_told_to_whoever_asks(libraries, monkeypatch):
    monkeypatch.setattr(worker, "STAGES", (("a library", ("no_such_library",)),))
    libraries.load()
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        libraries.ensure()
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        told(libraries.progress())


@pytest.mark.parametrize("refused", [False, True])
def test_a_range_test_tells_every_step_and_then_what_was_found(tmp_path, monkeypatch, refused):
    points = [Point(1, 1e-5, 2.0, 2.0), Point(2, 1e-4, 1.5, 1.7)]

    def run(config, workspace, span, tell):
        for point in points:
            tell(point)
        if refused:
            raise MemoryError("too little")
        return RangeResult(points, False, 1e-4, 1e-5, 1e-5)

    monkeypatch.setattr("studio.training.lr_range_test.range_test", run)
    payload = {"config": RunConfig().model_dump(mode="json"), "lr_range": {"steps": 20}}
    answer = worker._answer(Request(payload), Workspace.locate(tmp_path))
    assert [next(answer)["point"]["step"] for _ in points] == [1, 2]
    if refused:
        with pytest.raises(MemoryError, match="too little"):
            next(answer)
    else:
        assert told(answer)[1]["found"]["suggested"] == 1e-5
