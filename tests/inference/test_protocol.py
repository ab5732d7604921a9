"""What is asked of the inference worker and what comes back."""

import pytest
from pydantic import ValidationError

from studio.inference.protocol import ChatRequest, said, user_turn, why_empty


def test_a_request_survives_its_way_to_the_worker():
    asked = ChatRequest(
        messages=(said("system", "Be brief."), user_turn("How many?", 2)),
        images=("a" * 64, "b" * 64),
        run="run-1",
    )
    assert ChatRequest.model_validate(asked.model_dump(mode="json")) == asked
    first, second, text = asked.messages[1].parts
    assert (first.type, second.type, text.text) == ("image", "image", "How many?")


def test_what_no_request_has_is_refused():
    with pytest.raises(ValidationError, match="imagse"):
        ChatRequest.model_validate({"messages": [], "imagse": []})


@pytest.mark.parametrize(
    ("tokens", "stopped", "words"),
    [
        (0, "end", "at once (0 tokens)"),
        (1, "", "1 token of which nothing can be seen (blanks, special tokens)."),
        (
            1200,
            "length",
            "1,200 tokens of which nothing can be seen (blanks, special tokens), up to",
        ),
        (3, "end", ", and ended."),
        (3, "cancelled", "tokens)."),
    ],
)
def test_an_answer_without_anything_to_see_says_how_it_ended(tokens, stopped, words):
    assert words in why_empty(tokens, stopped)
