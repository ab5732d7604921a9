"""Rows as text and tokens: the model's own processor makes the same."""

import pytest

from studio.core.errors import DataError, NotFoundError
from studio.data.schema import Message, Part, Row
from studio.models.answering import row_prompts
from studio.models.answering.image_bank import ImageBank
from studio.models.answering.row_prompts import PromptWriter
from studio.models.prompt_inputs import render_completion
from tests.models.answering.asked import mixed, row


@pytest.fixture
def writer(plain, store) -> PromptWriter:
    return PromptWriter(plain.model, plain.processor, store)


def test_tokens_are_the_processors(writer, plain, charts):
    bank = ImageBank(plain)
    for number, one in enumerate(mixed(charts)):
        prompt = writer.prompt(number, one)
        bank.hold(prompt.images)
        made = writer.token_row(prompt, bank.expansions, bank.features, number=number, most=3)
        assert writer.same_as_processor(prompt, made)
        answer = writer.answer_ids(prompt, "7 and 8")
        text = render_completion(plain.processor, prompt.example(), "7 and 8")
        assert plain.processor.tokenizer.decode(answer) == text
        scored = writer.token_row(
            prompt, bank.expansions, bank.features, number=number, answer=answer
        )
        assert (scored.scored, len(scored.ids)) == (len(answer), len(made.ids) + len(answer))


def test_an_image_twice_in_a_row_has_its_features_twice(writer, plain, charts):
    bank, prompt = ImageBank(plain), writer.prompt(0, row([charts[0]] * 2, "Same?", "Really?"))
    bank.hold(prompt.images)
    made = writer.token_row(prompt, bank.expansions, bank.features, number=0, most=3)
    count = len(bank.features[charts[0]])
    assert sorted(made.slots[made.slots >= 0].tolist()) == sorted([*range(count)] * 2)


def test_a_template_that_takes_no_system_turn_has_it_in_the_question(plain, store, monkeypatch):
    asked = (Message("system", (Part("text", "Be brief."),)), *row([], "Why?").prompt)
    one = Row("system", (), asked)
    monkeypatch.setattr(row_prompts, "takes_system", lambda _: False)
    writer = PromptWriter(plain.model, plain.processor, store)
    (turn,) = writer.prompt(0, one).turns
    assert [part["text"] for part in turn["content"]] == ["Be brief.\n\n", "Why?"]


def test_rows_that_the_template_or_the_model_cannot_take_are_refused(writer, monkeypatch):
    with pytest.raises(NotFoundError):
        writer.prompt(0, row(["ab" * 32], "Gone?"))
    with pytest.raises(DataError, match="command"):
        writer.prompt(0, row([], "Say <end_of_utterance>"))

    def refuses(*_, **__):
        raise ValueError("roles must alternate")

    monkeypatch.setattr(row_prompts, "written", refuses)
    with pytest.raises(DataError, match="roles must alternate"):
        writer.prompt(0, row([], "Why?"))
