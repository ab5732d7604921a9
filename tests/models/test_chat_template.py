"""Chat templates that refuse, leave out, ask elsewhere or never end: said before anything runs."""

from __future__ import annotations

import pytest

from studio.config.model import ModelConfig
from studio.core.errors import DataError, InputError, ModelError
from studio.data.template_adaptation import Fit
from studio.inference.chat_inputs import build_inputs
from studio.inference.protocol import said, user_turn
from studio.models.chat_template import ends_answers, fit_of, unasked
from studio.models.load import load_model
from studio.models.model_source import load_processor
from tests.models.templated_model import (
    ASKED,
    OWN,
    SAID,
    SYSTEM,
    checked,
    finding,
    planned,
    templated,
    turn,
    written,
)

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


@pytest.mark.parametrize(
    ("template", "said_of_it"),
    [
        (TEXT_ONLY, "written for plain text"),
        (JOINED, "fails on a question about an image"),
        (NO_IMAGE, "has no place for images"),
    ],
)
def test_a_template_that_cannot_ask_about_an_image_is_refused(
    tmp_path, workspace, template, said_of_it
):
    rows = written(tmp_path, [ASKED, SAID])
    for attempt in (
        lambda: planned(templated(tmp_path, template), rows, workspace),
        lambda: checked(templated(tmp_path, template), rows, workspace),
        lambda: load_model(ModelConfig(id=templated(tmp_path, template))),
    ):
        with pytest.raises(ModelError, match=said_of_it) as caught:
            attempt()
        assert caught.value.field == "model.id" and "chat_template.jinja" in caught.value.remedy


@pytest.mark.parametrize("template", [NO_SYSTEM, FORGETS_SYSTEM])
def test_system_turns_that_a_template_refuses_go_into_the_question(tmp_path, workspace, template):
    rows = written(
        tmp_path, [SYSTEM, ASKED, SAID], [ASKED, SAID], [ASKED, SAID, turn("user", "?"), SAID]
    )
    plan, data = planned(templated(tmp_path, template), rows, workspace)
    first, *others = data.train.dataset[0]["prompt"]
    assert first["role"] == "user" and not others
    assert [part.get("text") for part in first["content"]] == ["Be short.\n\n", None, "?"]
    (text,) = [one for one in plan.warnings if "takes no system turn" in one]
    assert "in 1 of 3 rows" in text and "(row 1 (" in text
    assert plan.scored == "scores 4 assistant turns in 3 rows"
    report = checked(templated(tmp_path, template), rows, workspace)
    assert finding(report, "system_in_question").rows == [1]


def test_a_system_prompt_is_asked_in_chat_as_it_is_trained(tmp_path, workspace):
    rows = written(tmp_path, [ASKED, SAID])
    for template in (OWN, NO_SYSTEM):
        loaded = load_model(ModelConfig(id=templated(tmp_path, template)))
        _, data = planned(templated(tmp_path, template), rows, workspace, system_prompt="Be short.")
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


def test_turns_that_a_template_refuses_leave_the_row_out(tmp_path, workspace):
    twice = [ASKED, SAID, turn("user", "And?"), SAID]
    rows = written(tmp_path, [ASKED, SAID], twice, [ASKED, SAID])
    plan, data = planned(templated(tmp_path, ONE_QUESTION), rows, workspace)
    assert data.train.used == 2
    (text,) = [one for one in plan.warnings if "left out" in one]
    assert "one question" in text and "row 2" in text
    report = checked(templated(tmp_path, ONE_QUESTION), rows, workspace)
    found = finding(report, "template_refuses")
    assert found.severity == "error" and found.rows == [2] and "one question" in found.reasons[2]
    with pytest.raises(DataError, match="No row is left to train on") as caught:
        planned(templated(tmp_path, ONE_QUESTION), written(tmp_path, twice, twice), workspace)
    assert "another model" in caught.value.remedy


def test_images_that_a_template_drops_leave_the_row_out(tmp_path, workspace):
    rows = written(tmp_path, [turn("user", "<image><image>?"), SAID], images=2)
    assert planned(templated(tmp_path, OWN), rows, workspace)[1].train.used == 1
    with pytest.raises(DataError, match="leaves out 1 of its 2 images"):
        planned(templated(tmp_path, ONE_IMAGE), rows, workspace)


def test_chat_says_what_a_template_refuses(tmp_path):
    loaded = load_model(ModelConfig(id=templated(tmp_path, NO_TWO_USERS)))
    messages = [user_turn("One?", 0), user_turn("Two?", 0)]
    with pytest.raises(InputError, match="must alternate") as caught:
        build_inputs(loaded.processor, loaded.model, messages, [])
    assert caught.value.field == "question" and caught.value.remedy


def test_what_the_own_template_does():
    processor = load_processor(ModelConfig())
    assert fit_of(processor) == Fit() and unasked(processor) == "" and ends_answers(processor)
