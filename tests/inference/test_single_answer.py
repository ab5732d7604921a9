"""One question on the command line: who answers, and what is refused before a model is loaded."""

from __future__ import annotations

import pytest
from PIL import Image

from studio.config import RunConfig
from studio.core.errors import InputError, NotFoundError
from studio.core.paths import Workspace, write_json
from studio.inference import engine
from studio.inference.protocol import ChatDelta
from studio.inference.single_answer import ask
from studio.runs.checkpoints import MARKER
from studio.runs.store import RunStore


class Engine:
    """Answers with what it was asked."""

    def chat(self, model, adapter, messages, images, sampling, *, same_base):
        said = [f"{turn.role}: {turn.parts[-1].text}" for turn in messages]
        who = adapter.parent.name if adapter else model.id
        yield ChatDelta(f"{who} / ")
        yield ChatDelta(f"{len(images)} / {said}", tokens=3, stopped="length", done=True)


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setattr(engine, "Engine", Engine)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "chart.png"
    Image.new("RGB", (4, 4)).save(path)
    return path


def asked(workspace, picture, **more):
    usual = {"model": "embedded", "adapter": None, "images": [picture], "question": "How many?"}
    return ask(workspace, **usual | more)


def test_the_base_answers_where_no_adapter_is_named(workspace, picture):
    (answer,) = asked(workspace, picture)
    assert answer.text == "embedded / 1 / ['user: How many?']"
    assert (answer.model, answer.tokens, answer.stopped) == ("embedded", 3, "length")


def test_a_run_answers_with_its_system_prompt_beside_the_base(workspace, picture):
    data = {"source": "embedded:sft", "system_prompt": "Be brief."}
    run = RunStore(workspace).create(RunConfig.model_validate({"data": data}))
    write_json(run.paths.adapter / MARKER, {"kind": "adapter"})
    (run.paths.adapter / "adapter_config.json").write_text("{}")
    base, adapted = asked(workspace, picture, adapter=run.run_id, compare=True)
    assert (base.model, adapted.model) == ("embedded", run.run_id)
    assert adapted.text == f"{run.run_id} / 1 / ['system: Be brief.', 'user: How many?']"
    (alone,) = asked(workspace, picture, adapter=run.run_id)
    assert alone == adapted


@pytest.mark.parametrize("address", ["https://x.org/a.png", "file:///etc/passwd", "HTTP://x/a"])
def test_nothing_is_fetched(workspace, picture, address):
    with pytest.raises(InputError, match="is an address") as caught:
        asked(workspace, picture, images=[address])
    assert caught.value.field == "image" and caught.value.remedy


def test_an_image_or_run_that_is_not_there_is_named(workspace, picture, tmp_path):
    with pytest.raises(NotFoundError, match=r"no image .*gone\.png"):
        asked(workspace, picture, images=[tmp_path / "gone.png"])
    with pytest.raises(NotFoundError, match="no-such-run"):
        asked(workspace, picture, adapter="no-such-run")
