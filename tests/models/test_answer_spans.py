"""Where earlier answers stand, told by a template and a tokenizer that can be read."""

import re
from types import SimpleNamespace

import pytest

from studio.models.answer_spans import answer_spans, end_of_first, scored_tokens, texts_between

IMAGE = 0


class Letters:
    """A tokenizer of letters, with a token of its own for an image."""

    def __call__(self, text, add_special_tokens, return_offsets_mapping):
        found = [(m.group(), m.span()) for m in re.finditer(r"<image>|.", text, re.DOTALL)]
        ids = [self.convert_tokens_to_ids(token) for token, _ in found]
        return {"input_ids": ids, "offset_mapping": [span for _, span in found]}

    def convert_tokens_to_ids(self, token):
        return IMAGE if token == "<image>" else ord(token)


def processor(write=lambda messages, place: messages[place]["content"]):
    """A chat template: `role:text;` of each message, as `write` has the text."""

    def apply(messages, tokenize, add_generation_prompt):
        said = [f"{m['role'][0]}:{write(messages, n)};" for n, m in enumerate(messages)]
        return "".join(said) + "a:" * add_generation_prompt

    return SimpleNamespace(apply_chat_template=apply, tokenizer=Letters(), image_token="<image>")


def said(role, text):
    return {"role": role, "content": text}


PROMPT = [
    said("user", "<image>how many"),
    said("assistant", "three"),
    said("user", "sure"),
    said("assistant", "yes"),
    said("user", "why"),
]
ANSWER = [said("assistant", "seen")]


def test_an_answer_reaches_from_where_it_is_asked_for_to_what_the_template_writes_behind():
    text, spans = answer_spans(processor(), PROMPT, ANSWER, [1, 3])
    assert text == "u:<image>how many;a:three;u:sure;a:yes;u:why;a:"
    assert [text[start:end] for start, end in spans] == ["three;", "yes;"]


@pytest.mark.parametrize("tokens", [1, 4])
def test_places_of_tokens_follow_images_that_are_many_tokens(tokens):
    text, _ = answer_spans(processor(), PROMPT, ANSWER, [1, 3])
    plain = Letters()(text, False, True)["input_ids"]
    ids = [i for token in plain for i in ([IMAGE] * tokens if token == IMAGE else [token])]
    places = scored_tokens(processor(), PROMPT, ANSWER, [1, 3], ids)
    assert "".join(chr(ids[place]) for place in places) == "three;yes;"
    assert scored_tokens(processor(), PROMPT, ANSWER, [], ids) == []


def test_a_template_that_rewrites_an_earlier_answer_is_refused():
    def last_only(messages, place):
        return messages[place]["content"] if place == len(messages) - 1 else "…"

    with pytest.raises(ValueError, match="turns: last"):
        answer_spans(processor(last_only), PROMPT, ANSWER, [1])


def test_texts_lie_before_between_and_behind_images():
    assert list(texts_between([7, IMAGE, 8, 9, IMAGE], IMAGE)) == [(0, 1), (2, 4), (5, 5)]


def test_the_first_text_that_is_there_counts_from_a_place_on():
    ids = [1, 2, 3, 1, 2, 4]
    assert end_of_first(ids, [[1, 2]], 0) == 2
    assert end_of_first(ids, [[1, 2]], 1) == 5
    assert end_of_first(ids, [[9], [2, 4]], 0) == 6
    with pytest.raises(ValueError):
        end_of_first(ids, [[4, 1]], 0)
