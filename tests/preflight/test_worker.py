"""The checking child: what it sends, and what it keeps between requests."""

from __future__ import annotations

import base64
import io
from contextlib import contextmanager

import pytest
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.child_server import Request
from studio.core.errors import StoppedError
from studio.core.paths import Workspace
from studio.preflight import worker
from studio.preflight.check import CheckStep
from studio.preflight.worker import SHOWN_EDGE, Desk, encoded


def shown(address: str) -> Image.Image:
    kind, _, text = address.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert kind == f"data:image/{image.format.lower()}"
    return image


def test_a_picture_is_sent_as_large_as_a_page_can_show():
    small = shown(encoded(Image.new("RGB", (60, 40), "red")))
    assert (small.size, small.format) == ((60, 40), "PNG")
    assert small.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    given = Image.new("RGB", (4 * SHOWN_EDGE, SHOWN_EDGE), "red")
    large = shown(encoded(given))
    assert (large.size, large.format) == ((SHOWN_EDGE, SHOWN_EDGE // 4), "JPEG")
    assert given.size == (4 * SHOWN_EDGE, SHOWN_EDGE), "the original stays as it is"


@pytest.fixture
def opened(monkeypatch):
    """Names of the models that were opened; checks take two steps and find nothing."""
    names = []
    monkeypatch.setattr(worker, "open_model", lambda config: names.append(config.id) or config.id)

    def check(rows, workspace, model, max_length):
        yield CheckStep("rows", 1, 2)
        yield CheckStep("rows", 2, 2)

    monkeypatch.setattr(worker, "check_rows", check)
    return names


def request(model: str) -> Request:
    values = {"model": ModelConfig(id=model).model_dump(mode="json"), "dataset": "mine"}
    return Request(values | {"max_length": None})


@contextmanager
def library(workspace, name):
    yield name


def test_a_model_is_opened_once_and_a_check_can_be_stopped(tmp_path, opened):
    desk = Desk(Workspace.locate(tmp_path), library)
    first = request("some/model")
    going = desk.handle(first)
    assert next(going) == {"step": {"stage": "rows", "done": 1, "total": 2}}
    first.cancelled.set()
    with pytest.raises(StoppedError):
        next(going)
    next(desk.handle(request("some/model")))
    next(desk.handle(request("some/other")))
    assert opened == ["some/model", "some/other"]
