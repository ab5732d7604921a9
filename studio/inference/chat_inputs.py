"""From a conversation and its images to the tensors a model generates from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from PIL import Image
from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

from studio.core.errors import InputError, first_line
from studio.data.schema import Message
from studio.data.trl_format import system_in_question
from studio.models.chat_template import REFUSALS, takes_system, written
from studio.models.stop_tokens import context_room

logger = logging.getLogger(__name__)


def build_inputs(
    processor: ProcessorMixin,
    model: PreTrainedModel,
    messages: Sequence[Message],
    images: Sequence[Image.Image],
) -> BatchFeature:
    """Return model inputs of batch size 1 that end where the answer begins, on the model's device.

    Args:
        images: In the order of the conversation's image placeholders, one each.

    Raises:
        InputError: Placeholders and images differ in number, a message holds a control token, the
            chat template refuses the conversation, or it is longer than the model's context.
    """
    text = prompt_text(processor, messages, len(images))
    inputs = processor(
        text=[text],
        images=[list(images)] if images else None,
        return_tensors="pt",
        add_special_tokens=False,
    )
    _refuse_overlong(inputs, model)
    return inputs.to(model.device, dtype=model.dtype)


def prompt_text(processor: ProcessorMixin, messages: Sequence[Message], images: int) -> str:
    """Return a conversation as the chat template writes it, up to where the answer begins.

    Raises:
        InputError: As for `build_inputs`, its length left out.
    """
    places = sum(part.type == "image" for message in messages for part in message.parts)
    if places != images:
        raise InputError(
            f"The conversation has {places} places for images and {images} images.",
            remedy="Give one image for each place.",
            field="images",
        )
    _refuse_control_tokens(processor, messages)
    return _written(processor, messages)


def _written(processor: ProcessorMixin, messages: Sequence[Message]) -> str:
    """The conversation up to its answer, fitted to the chat template as training rows are."""
    turns = [as_template_message(message) for message in messages]
    if turns[0]["role"] == "system" and not takes_system(processor):
        turns = system_in_question(turns)
    try:
        return written(processor, turns, asking=True)
    except REFUSALS as error:
        logger.warning("The chat template refuses a conversation.", exc_info=True)
        raise InputError(
            f"The model's chat template refuses this conversation: {first_line(error)}",
            remedy="Clear the conversation and ask anew, one question and one answer in turn.",
            field="question",
        ) from error


def as_template_message(message: Message) -> dict[str, Any]:
    """Return a message as chat templates take it: images as bare placeholders."""
    return {
        "role": message.role,
        "content": [
            {"type": "image"} if part.type == "image" else {"type": "text", "text": part.text}
            for part in message.parts
        ],
    }


def _refuse_control_tokens(processor: ProcessorMixin, messages: Sequence[Message]) -> None:
    added = processor.tokenizer.added_tokens_decoder.values()
    control = [token.content for token in added if token.special]
    for message in messages:
        for token in control:
            if token in message.text:
                raise InputError(
                    f"The text contains {token}, which the model takes for a command.",
                    remedy="Write it differently, for example with a space inside.",
                    field="question" if message.role == "user" else message.role,
                )


def _refuse_overlong(inputs: BatchFeature, model: PreTrainedModel) -> None:
    length = inputs["input_ids"].shape[1]
    if context_room(model, length) < 1:
        raise overlong(model, length)


def overlong(model: PreTrainedModel, length: int) -> InputError:
    """Return what is said of a conversation of `length` tokens, too long for the model."""
    return InputError(
        f"The conversation has {length} tokens; the model takes {length + context_room(model, length)}.",
        remedy="Clear the conversation, or use fewer or smaller images.",
        field="question",
    )
