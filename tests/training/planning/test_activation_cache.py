"""A step is traced once: whatever changes what it takes is another step."""

from dataclasses import replace

import pytest
import torch

from studio.core.paths import Workspace
from studio.training.fast_path.applicability import FastPath
from studio.training.planning import result_cache
from studio.training.planning.activation_cache import TracedStep, traced_once
from studio.training.planning.activation_trace import Traceable, Traced
from studio.training.planning.memory_estimate import adapted

FOUND = Traced(saved=3, peak=5, exact=True, inputs=2)


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


@pytest.fixture
def step(shared_runner):
    config = shared_runner.config()
    base, model = adapted(config, shared_runner.workspace, torch.float32)
    rows = [{"images": [], "prompt": "q", "completion": "a"}]
    return TracedStep(config, Traceable(model, base, None), rows, 4, 70, FastPath.off("a test"))


def count(step, workspace):
    """Traces made for this step: none when it is known."""
    made = []
    found = traced_once(step, workspace, lambda: made.append(1) or FOUND)
    assert found == FOUND
    return len(made)


def test_a_step_is_traced_once(step, workspace):
    assert [count(step, workspace) for _ in range(2)] == [1, 0]


def test_whatever_changes_what_it_takes_is_another_step(step, workspace, shared_runner):
    count(step, workspace)
    wider = shared_runner.config(adapter={"rank": 8})
    base, model = adapted(wider, shared_runner.workspace, torch.float32)
    others = (
        replace(step, size=8),
        replace(step, tokens=71),
        replace(step, rows=[{"images": [], "prompt": "another", "completion": "a"}]),
        replace(step, path=FastPath.off("another reason")),
        replace(step, traceable=Traceable(model, base, None)),
        replace(step, traceable=replace(step.traceable, base=base.to(torch.bfloat16))),
        replace(step, config=shared_runner.config(batch={"gradient_checkpointing": True})),
    )
    assert [count(other, workspace) for other in others] == [1] * len(others)
    rate = {"name": "adafactor", "learning_rate": 1e-5}
    renamed = shared_runner.config(name="another", schedule={"seed": 7}, optimizer=rate)
    assert count(replace(step, config=renamed), workspace) == 0


def test_a_damaged_note_is_as_none(step, workspace):
    count(step, workspace)
    (note,) = workspace.traces.glob("*.json")
    note.write_text("{")
    assert [count(step, workspace) for _ in range(2)] == [1, 0]


def test_old_notes_make_room(step, workspace, monkeypatch):
    monkeypatch.setattr(result_cache, "MOST_KEPT", 3)
    for size in range(1, 7):
        count(replace(step, size=size), workspace)
    assert len(list(workspace.traces.glob("*.json"))) == 3
