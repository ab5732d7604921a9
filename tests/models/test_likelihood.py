import pytest
import torch

from studio.core.errors import InputError
from studio.models.likelihood import completion_log_probs, preference_accuracy
from studio.models.prompt_inputs import render_completion
from studio.models.prompts import EvalExample, PreferencePair
from tools.tiny_vlm.chart import sample_chart
from tools.tiny_vlm.draw import draw_chart


@pytest.fixture(scope="module")
def examples():
    questions = ("What kind of chart is this?", "Read out the data.", "Describe the image.")
    return [
        EvalExample.from_question([draw_chart(sample_chart("heldout", place))], question)
        for place, question in enumerate(questions)
    ]


COMPLETIONS = ("bar chart", "red 3 | blue 4 | green 5 and a long tail", "no")


def by_hand(model, processor, example, completion):
    prompt = processor.apply_chat_template(example.prompt, add_generation_prompt=True)
    text = f"{prompt} {completion}<end_of_utterance>"
    inputs = processor(images=[example.images], text=[text], return_tensors="pt")
    ids = inputs["input_ids"][0]
    count = len(processor.tokenizer(f" {completion}<end_of_utterance>")["input_ids"])
    with torch.inference_mode():
        log_probs = model(**inputs).logits[0].log_softmax(-1)
    return sum(
        log_probs[place - 1, ids[place]].item() for place in range(len(ids) - count, len(ids))
    )


@pytest.mark.parametrize("batch_size", [1, 3])
def test_log_probs_agree_with_a_plain_forward_pass(model, processor, examples, batch_size):
    scores = completion_log_probs(model, processor, examples, COMPLETIONS, batch_size=batch_size)
    expected = [
        by_hand(model, processor, *pair) for pair in zip(examples, COMPLETIONS, strict=True)
    ]
    assert scores == pytest.approx(expected, rel=1e-4)


def test_completion_ends_where_generation_would(processor, examples):
    assert render_completion(processor, examples[0], "7") == " 7<end_of_utterance>"


def test_preference_accuracy_turns_around_with_the_pair(model, processor, examples):
    pair = PreferencePair(examples[0], "bar chart", "Zebra crossing, twelve quick foxes.")
    turned = PreferencePair(pair.example, pair.rejected, pair.chosen)
    assert preference_accuracy(model, processor, [pair]) == 1.0
    assert preference_accuracy(model, processor, [turned, pair, pair, turned]) == 0.5


def test_equal_answers_are_not_preferred(model, processor, examples):
    assert preference_accuracy(model, processor, [PreferencePair(examples[0], "7", "7")]) == 0.0


def test_refuses_lists_that_do_not_match(model, processor, examples):
    with pytest.raises(InputError):
        completion_log_probs(model, processor, examples, ["one"])
    with pytest.raises(InputError):
        preference_accuracy(model, processor, [])
