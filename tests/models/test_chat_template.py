"""Chat templates that refuse, leave out, ask elsewhere or never end: said before anything runs."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import DataError, InputError, ModelError
from studio.core.paths import TINY_VLM, Workspace
from studio.data.checked_rows import source_rows
from studio.data.template_adaptation import Fit
from studio.inference.chat_inputs import build_inputs
from studio.inference.protocol import said, user_turn
from studio.models.chat_template import ends_answers, fit_of, unasked
from studio.models.load import load_model
from studio.models.model_source import load_processor
from studio.preflight.check import check_rows
from studio.preflight.model_processor import open_model
from studio.training.planning.preflight_plan import plan_run
from tests.training.fast_pair import IMAGES

OWN = (TINY_VLM / "chat_template.jinja").read_text(encoding="utf-8")


REFUSE = "{%% if %s %%}{{ raise_exception('%s') }}{%% endif %%}"


NO_SYSTEM = REFUSE % ("messages[0]['role'] == 'system'", "System role not supported") + OWN


ONE_QUESTION = REFUSE % ("messages | length > 2", "only one question is taken") + OWN
NO_TWO_USERS = (
    "{% for m in messages %}"
    + REFUSE
    % (
        "not loop.first and m['role'] == loop.previtem['role']",
        "Conversation roles must alternate",
    )
    + "{% endfor %}"
    + OWN
)


TEXT_ONLY = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


JOINED = TEXT_ONLY.replace("{{ m['content'] }}", "{{ 'x' + m['content'] }}")


NO_IMAGE = OWN.replace("{{ '<image>' }}", "")


ONE_IMAGE = OWN.replace("{{ '<image>' }}", "{% if loop.first %}<image>{% endif %}")


FORGETS_SYSTEM = OWN.replace(
    "{% for message in messages %}",
    "{% for message in messages if message['role'] != 'system' %}",
)


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
    ("template", "said_of_it"),
    [
        (TEXT_ONLY, "written for plain text"),
        (JOINED, "fails on a question about an image"),
        (NO_IMAGE, "has no place for images"),
    ],
)
def test_a_template_that_cannot_ask_about_an_image_is_refused(
    model, source, workspace, template, said_of_it
):
    rows = source([ASKED, SAID])
    for attempt in (
        lambda: planned(model(template), rows, workspace),
        lambda: checked(model(template), rows, workspace),
        lambda: load_model(ModelConfig(id=model(template))),
    ):
        with pytest.raises(ModelError, match=said_of_it) as caught:
            attempt()
        assert caught.value.field == "model.id" and "chat_template.jinja" in caught.value.remedy


@pytest.mark.parametrize("template", [NO_SYSTEM, FORGETS_SYSTEM])
def test_system_turns_that_a_template_refuses_go_into_the_question(
    model, source, workspace, template
):
    rows = source([SYSTEM, ASKED, SAID], [ASKED, SAID], [ASKED, SAID, turn("user", "?"), SAID])
    plan, data = planned(model(template), rows, workspace)
    first, *others = data.train.dataset[0]["prompt"]
    assert first["role"] == "user" and not others
    assert [part.get("text") for part in first["content"]] == ["Be short.\n\n", None, "?"]
    (text,) = [one for one in plan.warnings if "takes no system turn" in one]
    assert "in 1 of 3 rows" in text and "(row 1 (" in text
    assert plan.scored == "scores 4 assistant turns in 3 rows"
    report = checked(model(template), rows, workspace)
    assert finding(report, "system_in_question").rows == [1]


def test_a_system_prompt_is_asked_in_chat_as_it_is_trained(model, source, workspace):
    rows = source([ASKED, SAID])
    for template in (OWN, NO_SYSTEM):
        loaded = load_model(ModelConfig(id=model(template)))
        _, data = planned(model(template), rows, workspace, system_prompt="Be short.")
        row = data.train.dataset[0]
        from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

        collate = DataCollatorForVisionLanguageModeling(loaded.processor, completion_only_loss=True)
        batch = collate([row])
        asked = int((batch["labels"][0] == -100).sum())
        messages = [said("system", "Be short."), user_turn("?", 1)]
        chat = build_inputs(
            loaded.processor, loaded.model, messages, data.train.dataset[0]["images"]
        )
        assert chat["input_ids"][0].tolist() == batch["input_ids"][0, :asked].tolist()


def test_turns_that_a_template_refuses_leave_the_row_out(model, source, workspace):
    twice = [ASKED, SAID, turn("user", "And?"), SAID]
    rows = source([ASKED, SAID], twice, [ASKED, SAID])
    plan, data = planned(model(ONE_QUESTION), rows, workspace)
    assert data.train.used == 2
    (text,) = [one for one in plan.warnings if "left out" in one]
    assert "one question" in text and "row 2" in text
    report = checked(model(ONE_QUESTION), rows, workspace)
    found = finding(report, "template_refuses")
    assert found.severity == "error" and found.rows == [2] and "one question" in found.reasons[2]
    with pytest.raises(DataError, match="No row is left to train on") as caught:
        planned(model(ONE_QUESTION), source(twice, twice), workspace)
    assert "another model" in caught.value.remedy


def test_images_that_a_template_drops_leave_the_row_out(model, source, workspace):
    rows = source([turn("user", "<image><image>?"), SAID], images=2)
    assert planned(model(OWN), rows, workspace)[1].train.used == 1
    with pytest.raises(DataError, match="leaves out 1 of its 2 images"):
        planned(model(ONE_IMAGE), rows, workspace)


def test_chat_says_what_a_template_refuses(model):
    loaded = load_model(ModelConfig(id=model(NO_TWO_USERS)))
    messages = [user_turn("One?", 0), user_turn("Two?", 0)]
    with pytest.raises(InputError, match="must alternate") as caught:
        build_inputs(loaded.processor, loaded.model, messages, [])
    assert caught.value.field == "question" and caught.value.remedy


def test_what_the_own_template_does():
    processor = load_processor(ModelConfig())
    assert fit_of(processor) == Fit() and unasked(processor) == "" and ends_answers(processor)
