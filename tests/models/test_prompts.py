"""Batches of examples with equally many images."""

from PIL import Image

from studio.models.prompts import EvalExample, batches_by_image_count

PICTURE = Image.new("RGB", (2, 2))


def test_a_question_stands_behind_its_images():
    example = EvalExample.from_question([PICTURE, PICTURE], "Which?")
    (turn,) = example.prompt
    assert turn["role"] == "user"
    assert [part["type"] for part in turn["content"]] == ["image", "image", "text"]
    assert turn["content"][-1]["text"] == "Which?"


def test_no_batch_mixes_counts_or_is_too_large():
    counts = [1, 0, 1, 2, 1, 0, 1]
    examples = [EvalExample.from_question([PICTURE] * count, "?") for count in counts]
    batches = batches_by_image_count(examples, 2)
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    assert all(len({counts[index] for index in batch}) == 1 for batch in batches)
    assert sorted(map(len, batches)) == [1, 2, 2, 2]
    assert batches_by_image_count([], 2) == []
