"""From rows to what is evaluated."""

from __future__ import annotations

import pytest
from PIL import Image

from studio.core.errors import DataError
from studio.data.schema import Answer, Message, Part, Row
from studio.evaluation.evaluation_examples import example_of, pairs_of, references_of

PROMPT = (
    Message("system", (Part("text", "Be brief."),)),
    Message("user", (Part("image"), Part("text", "How many?"))),
)


class Images:
    """Opens a picture as wide as the number that it is called by."""

    def open(self, sha: str) -> Image.Image:
        return Image.new("RGB", (int(sha), 1))


def row(name: str, **answers: str) -> Row:
    return Row(name, ("7",), PROMPT, **{key: Answer(text) for key, text in answers.items()})


def test_a_prompt_has_bare_places_for_its_images():
    example = example_of(row("1"), Images())
    assert [image.width for image in example.images] == [7]
    assert example.prompt == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]},
    ]


def test_a_row_without_a_reference_is_named():
    assert references_of([row("1", completion="three")]) == ["three"]
    with pytest.raises(DataError, match="Row 2 has no reference") as caught:
        references_of([row("1", completion="three"), row("2", chosen="a", rejected="b")])
    assert caught.value.field == "data.columns.answer" and caught.value.remedy


def test_only_whole_preferences_are_pairs():
    rows = [row("1", chosen="a", rejected="b"), row("2", chosen="a"), row("3", completion="c")]
    (pair,) = pairs_of(rows, Images())
    assert (pair.chosen, pair.rejected) == ("a", "b")
