"""Checks with the processor of a model."""

from __future__ import annotations

from studio.config.model import ModelConfig
from studio.preflight.model_processor import open_model


def test_a_maximum_length_names_the_rows_that_are_longer(workspace, check):
    model = open_model(ModelConfig())
    whole = check("embedded:preferences", model, split="train", limit=40)
    assert whole.tokens.images_median == 39 and 0.4 < whole.tokens.image_share < 0.8
    assert sum(one.rows for one in whole.tokens.histogram) == 40
    assert (whole.length_bias.pairs, whole.truncation.max_length) == (40, 8192)
    assert "too_long" not in {one.id for one in whole.findings}

    tight = check(
        "embedded:preferences", model, split="train", limit=40, max_length=whole.tokens.median
    )
    (cut,) = [one for one in tight.findings if one.id == "too_long"]
    assert cut.severity == "warning" and "leaves them out" in cut.message
    assert tight.truncation.rows == len(cut.rows) > 0
    assert tight.truncation.through_images == 0

    short = check("embedded:preferences", model, split="train", limit=40, max_length=20)
    (through,) = [one for one in short.findings if one.id == "too_long"]
    assert short.truncation.share == 1 and short.truncation.through_images == 40
    assert len(through.rows) == 40 and "in 40 rows the images alone fill them" in through.message


def test_special_tokens_are_those_of_the_model(write, check):
    spec = write(
        {"question": "What is <end_of_utterance>?", "answer": "a"},
        {"question": "What is <|vision_start|>?", "answer": "b"},
    )
    report = check(spec, open_model(ModelConfig()))
    (found,) = [one for one in report.findings if one.id == "special_tokens"]
    assert found.rows == [1]
