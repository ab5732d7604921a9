import torch
from PIL import Image
from transformers import StoppingCriteria

from studio.models.generation import generate, generate_answers
from studio.models.prompts import EvalExample, batches_by_image_count
from tools.tiny_vlm.chart import sample_chart
from tools.tiny_vlm.draw import draw_chart


def chart_examples(count):
    images = [draw_chart(sample_chart("heldout", index)) for index in range(count)]
    return [EvalExample.from_question([image], "What kind of chart is this?") for image in images]


def test_answers_do_not_depend_on_the_batch(model, processor):
    examples = [
        *chart_examples(5),
        EvalExample.from_question([], "Hello?"),
        EvalExample.from_question([Image.new("RGB", (30, 500)), Image.new("L", (7, 3))], "Why?"),
    ]
    together = generate_answers(model, processor, examples, batch_size=4, max_new_tokens=12)
    alone = [generate_answers(model, processor, [e], max_new_tokens=12)[0] for e in examples]
    assert together == alone


def test_answers_hold_no_special_tokens(model, processor):
    answers = generate_answers(model, processor, chart_examples(4), batch_size=2)
    assert all(answer and "<" not in answer for answer in answers)


class Steps(StoppingCriteria):
    """Counts the tokens of a batch and keeps the last; ends nothing."""

    def __init__(self):
        self.count = 0

    def __call__(self, input_ids, scores, **_):
        self.count += 1
        self.last = int(input_ids[0, -1])
        return torch.zeros(len(input_ids), dtype=torch.bool)


def test_tokens_are_counted_without_the_end_and_the_padding(model, processor):
    long = EvalExample.from_question(chart_examples(1)[0].images, "Describe the image.")
    examples = [*chart_examples(2), long]
    lengths = []
    for example in examples:
        steps = Steps()
        (alone,) = generate(model, processor, [example], stopping=steps)
        assert alone.tokens == steps.count - 1
        lengths.append(alone.tokens)
    together = generate(model, processor, examples, batch_size=3)
    assert [answer.tokens for answer in together] == lengths and len(set(lengths)) > 1
    assert generate(model, processor, [long], max_new_tokens=2)[0].tokens == 2, "it was cut"


def test_an_answer_that_ends_at_once_has_no_tokens(model, processor, monkeypatch):
    steps = Steps()
    generate(model, processor, chart_examples(1), max_new_tokens=1, stopping=steps)
    monkeypatch.setattr(model.generation_config, "eos_token_id", steps.last)
    (found,) = generate(model, processor, chart_examples(1))
    assert found.tokens == 0


def test_training_mode_is_restored(model, processor):
    model.train()
    generate_answers(model, processor, chart_examples(1), max_new_tokens=1)
    assert model.training
    model.eval()


def test_batches_hold_equally_many_images():
    image = Image.new("RGB", (8, 8))
    counts = [1, 0, 2, 1, 1, 0]
    examples = [EvalExample.from_question([image] * count, "?") for count in counts]
    batches = batches_by_image_count(examples, 2)
    assert batches == [[1, 5], [0, 3], [4], [2]]
