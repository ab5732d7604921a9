"""What some families' processors lack for training and chat; others are left as they are."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import transformers
from transformers import BatchFeature, ProcessorMixin

PALIGEMMA_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}"
    "{% elif message['role'] == 'system' or loop.index < loop.length - 1 %}{{ '\n' }}{% endif %}"
    "{% endfor %}"
)
"""PaliGemma's own form of a question: images, text, a newline (which its processor adds)."""


class PaliGemmaProcessor(transformers.PaliGemmaProcessor):
    """Takes an answer without its image, and marks its tokens as an answer's.

    PaliGemma reads its prompt in both directions. Were an answer marked like its prompt, each of
    its tokens would see the next one, which it is to predict.
    """

    def __call__(
        self, images: Any = None, text: Any = None, suffix: Any = None, **kwargs: Any
    ) -> BatchFeature:
        """As the original; without the labels it makes when there is no `suffix`."""
        made = super().__call__(images=images, text=text, suffix=suffix, **kwargs)
        if suffix is None:
            made.pop("labels", None)
        if images is None:
            made["token_type_ids"] = _ones(made["input_ids"])
        return made

    def validate_inputs(self, images: Any = None, text: Any = None, **kwargs: Any) -> None:
        """Text alone is an answer, or a question about no image."""
        if images is None and text is not None:
            ProcessorMixin.validate_inputs(self, images=images, text=text, **kwargs)
        else:
            super().validate_inputs(images=images, text=text, **kwargs)


class Ovis2Processor(transformers.Ovis2Processor):
    """Makes tensors also where nobody asks for them: its own code needs them."""

    images_kwargs: ClassVar[dict[str, str]] = {"return_tensors": "pt"}


class MllamaProcessor(transformers.MllamaProcessor):
    """Puts no token for the beginning of a text in front of an answer; takes rows without images.

    The original's image processor fails on a first row without images and shifts the sizes of the
    images behind a later one.
    """

    def _process_images(self, images: Any, **kwargs: Any) -> tuple[Any, Any]:
        """As the original, of the rows that have images; the others get empty tiles."""
        filled = [number for number, row in enumerate(images) if row]
        made, rest = super()._process_images([images[number] for number in filled], **kwargs)
        if len(filled) == len(images):
            return made, rest
        for name in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask"):
            made[name] = _spread(torch.as_tensor(made[name]), filled, len(images))
        made["aspect_ratio_mask"][..., 0] = 1  # of an image that is not there, as for padding
        tiles = dict(zip(filled, made["num_tiles"], strict=True))
        made["num_tiles"] = [tiles.get(number, []) for number in range(len(images))]
        return made, rest

    def prepare_inputs_layout(
        self, images: Any = None, text: Any = None, **kwargs: Any
    ) -> tuple[Any, Any]:
        """As the original; text alone stays as it is, for chat templates begin it themselves."""
        if images is None and text is not None:
            return None, [text] if isinstance(text, str) else text
        return super().prepare_inputs_layout(images=images, text=text, **kwargs)


COMPLETED: dict[type, type] = {
    transformers.PaliGemmaProcessor: PaliGemmaProcessor,
    transformers.Ovis2Processor: Ovis2Processor,
    transformers.MllamaProcessor: MllamaProcessor,
}


def made_usable(processor: ProcessorMixin) -> ProcessorMixin:
    """Return the same processor, completed where its family needs it; it is saved as what it was."""
    completed = COMPLETED.get(type(processor))
    if completed is None:
        return processor
    processor.__class__ = completed
    if completed is PaliGemmaProcessor and not processor.chat_template:
        processor.chat_template = PALIGEMMA_TEMPLATE
    return processor


def _spread(values: torch.Tensor, places: list[int], rows: int) -> torch.Tensor:
    """Return `rows` rows: `values` at `places`, zeros elsewhere."""
    whole = values.new_zeros(rows, *values.shape[1:])
    whole[places] = values
    return whole


def _ones(ids: Any) -> Any:
    if isinstance(ids, torch.Tensor):
        return torch.ones_like(ids)
    return [_ones(item) if isinstance(item, list) else 1 for item in ids]
