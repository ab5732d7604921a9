"""What is completed in some families' processors."""

import jinja2
import pytest
import torch
import transformers

from studio.models.compat import processors
from studio.models.compat.processors import COMPLETED, PALIGEMMA_TEMPLATE, made_usable


@pytest.mark.parametrize("family", COMPLETED, ids=lambda family: family.__name__)
def test_a_completed_processor_is_saved_as_what_it_was(family):
    bare = family.__new__(family)
    bare.chat_template = None
    made = made_usable(bare)
    assert made is bare and type(made) is COMPLETED[family]
    assert isinstance(made, family) and type(made).__name__ == family.__name__
    expected = PALIGEMMA_TEMPLATE if family is transformers.PaliGemmaProcessor else None
    assert made.chat_template == expected


def test_a_template_of_its_own_and_other_families_stay():
    bare = transformers.PaliGemmaProcessor.__new__(transformers.PaliGemmaProcessor)
    bare.chat_template = "mine"
    assert made_usable(bare).chat_template == "mine"
    other = transformers.Idefics3Processor.__new__(transformers.Idefics3Processor)
    assert type(made_usable(other)) is transformers.Idefics3Processor


def test_paligemma_s_question_is_images_and_text_and_its_answer_ends():
    template = jinja2.Template(PALIGEMMA_TEMPLATE)
    image, text = {"type": "image"}, {"type": "text", "text": "How many?"}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [image, text]},
        {"role": "assistant", "content": "three"},
    ]
    assert template.render(messages=messages, eos_token="</s>") == (
        "Be brief.\n<image>How many?three</s>"
    )


def test_rows_without_images_get_empty_tiles_where_they_stand(monkeypatch):
    def original(self, images, **kwargs):
        assert all(images), "the original is asked of rows with images only"
        count = len(images)
        made = {
            "pixel_values": torch.ones(count, 1, 2),
            "aspect_ratio_ids": torch.full((count, 1), 3),
            "aspect_ratio_mask": torch.ones(count, 1, 2),
            "num_tiles": [[number + 1] for number in range(count)],
        }
        return made, {}

    monkeypatch.setattr(transformers.MllamaProcessor, "_process_images", original)
    bare = processors.MllamaProcessor.__new__(processors.MllamaProcessor)
    made, _ = bare._process_images([[], ["a"], [], ["b"]])
    assert made["num_tiles"] == [[], [1], [], [2]]
    assert made["pixel_values"].amax(dim=(1, 2)).tolist() == [0, 1, 0, 1]
    assert made["aspect_ratio_ids"].flatten().tolist() == [0, 3, 0, 3]
    assert made["aspect_ratio_mask"][:, 0].tolist() == [[1, 0], [1, 1], [1, 0], [1, 1]]


def test_text_alone_is_an_answer_that_stays_as_it_is():
    bare = processors.MllamaProcessor.__new__(processors.MllamaProcessor)
    assert bare.prepare_inputs_layout(text="three") == (None, ["three"])
    assert bare.prepare_inputs_layout(text=["a", "b"]) == (None, ["a", "b"])
