from PIL import Image

from studio.evaluate.example import EvalExample, batches_by_image_count
from studio.evaluate.generate import generate_answers
from studio.tiny.chart import sample_chart
from studio.tiny.draw import draw_chart


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
