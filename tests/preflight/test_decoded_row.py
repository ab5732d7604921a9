"""What is scored of a row."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.config.model import ModelConfig
from studio.core.paths import TINY_VLM, Workspace
from studio.data.checked_rows import source_rows
from studio.preflight.check import check_rows
from studio.preflight.model_processor import open_model
from tests.training.fast_pair import IMAGES

OWN = (TINY_VLM / "chat_template.jinja").read_text(encoding="utf-8")


NO_END = OWN.replace("<end_of_utterance>\n", "\n")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of the embedded model with another chat template."""
    made: dict[str, str] = {}

    def make(template: str) -> str:
        if template not in made:
            folder = tmp_path_factory.mktemp("model") / "tiny"
            shutil.copytree(TINY_VLM, folder)
            (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
            made[template] = str(folder)
        return made[template]

    return make


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def turn(role: str, text: str) -> dict:
    return {"role": role, "content": text}


SYSTEM, ASKED, SAID = turn("system", "Be short."), turn("user", "<image>?"), turn("assistant", "R.")


@pytest.fixture
def source(tmp_path):
    """Writes conversations about one image each; the path."""

    def write(*conversations: list[dict], images: int = 1) -> str:
        shutil.copy(IMAGES[0], tmp_path / "0.png")
        rows = [{"messages": turns, "images": ["0.png"] * images} for turns in conversations]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return str(tmp_path / "rows.jsonl")

    return write


def checked(model_id, source, workspace):
    going = check_rows(
        source_rows(source, workspace), workspace, open_model(ModelConfig(id=model_id))
    )
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def test_the_check_shows_what_is_scored(model, source, workspace):
    rows = source([ASKED, SAID, turn("user", "And?"), turn("assistant", "G.")])
    report = checked("embedded", rows, workspace)
    assert [(piece.text, piece.scored) for piece in report.rendering.pieces] == [
        ("<|im_start|>User:<image>?<end_of_utterance>\nAssistant:", False),
        (" R.<end_of_utterance>\n", True),
        ("User: And?<end_of_utterance>\nAssistant:", False),
        (" G.<end_of_utterance>\n", True),
    ]
    assert type(report).from_json(json.loads(json.dumps(report.to_json()))) == report
    unended = checked(model(NO_END), rows, workspace)
    assert unended.rendering.pieces[-1].text == " G."
