"""Templates that train what is never asked."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.paths import TINY_VLM, Workspace
from studio.data.checked_rows import source_rows
from studio.preflight.check import check_rows
from studio.preflight.model_processor import open_model
from studio.training.planning.preflight_plan import plan_run
from tests.training.fast_pair import IMAGES

OWN = (TINY_VLM / "chat_template.jinja").read_text(encoding="utf-8")


THINKS = OWN.replace("{{ 'Assistant:' }}", "{{ 'Assistant: <think>\\n' }}")


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


def planned(model_id, source, workspace, **data):
    values = {"model": {"id": model_id}, "data": {"source": source} | data}
    return plan_run(run_file.parse(values), workspace)


def checked(model_id, source, workspace):
    going = check_rows(
        source_rows(source, workspace), workspace, open_model(ModelConfig(id=model_id))
    )
    while True:
        try:
            next(going)
        except StopIteration as end:
            return end.value


def finding(report, kind):
    return next((one for one in report.findings if one.id == kind), None)


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [(THINKS, "asked_elsewhere", "<think>"), (NO_END, "no_end_token", "may go on without end")],
)
def test_templates_that_train_what_is_not_asked_or_never_ends_warn(
    model, source, workspace, template, kind, words
):
    rows = source([ASKED, SAID])
    plan, _ = planned(model(template), rows, workspace)
    assert any(words in text for text in plan.warnings)
    found = finding(checked(model(template), rows, workspace), kind)
    assert found.severity == "warning" and words in found.message and found.remedy
    assert finding(checked("embedded", rows, workspace), kind) is None
