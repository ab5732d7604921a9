"""From rows of data to what the decoder takes: text, images by name, token ids; or why not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, ProcessorMixin

from studio.core.errors import DataError, first_line
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.trl_format import bare, prompt_messages, system_in_question
from studio.models.answering.decoder import TokenRow
from studio.models.chat_template import REFUSALS, takes_system, written
from studio.models.image_features.families import FAMILIES, grid_merge
from studio.models.image_features.lazy_images import ImageRef
from studio.models.image_features.position_ids import grid_positions
from studio.models.image_features.row_token_ids import (
    ImageExpansion,
    RowIds,
    prompt_ids,
    slots_of,
)
from studio.models.prompt_inputs import common_prefix
from studio.models.prompts import EvalExample
from studio.models.stop_tokens import context_room

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowPrompt:
    """A row as far as it is known without its images' pixels.

    Attributes:
        number: Of the row.
        turns: The conversation as the chat template takes it.
        text: As the template writes it, up to where the answer begins.
        images: Where its images are.
    """

    number: int
    turns: Sequence[dict[str, Any]]
    text: str
    images: tuple[ImageRef, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its images, in order."""
        return tuple(image.key for image in self.images)

    def example(self) -> EvalExample:
        """Open its images. Raises DataError."""
        return EvalExample([image.pixels() for image in self.images], self.turns)


class PromptWriter:
    """Writes rows with one model's chat template and tokenizer.

    Args:
        images: Where images of rows are; None where only prompts that are text already are taken.
    """

    def __init__(
        self, model: PreTrainedModel, processor: ProcessorMixin, images: ImageStore | None = None
    ) -> None:
        self._model = model
        self._processor = processor
        self._images = images
        self._system = takes_system(processor)
        added = processor.tokenizer.added_tokens_decoder.values()
        self._control = [token.content for token in added if token.special]
        self._merge = grid_merge(model.config) if model.config.model_type in FAMILIES else 0

    def turns(self, row: Row) -> list[dict[str, Any]]:
        """Return the conversation of a row, its system turn where the template takes one."""
        turns = bare(prompt_messages(row))
        return turns if self._system else system_in_question(turns)

    def prompt(self, number: int, row: Row) -> RowPrompt:
        """Return row `number` as text.

        Raises:
            DataError: It cannot be asked: an image is gone, its text holds a control token, or the
                template refuses it.
        """
        if self._images is None:
            raise ValueError("This writer knows no images of rows.")
        images = tuple(ImageRef(sha, str(self._images.path(sha))) for sha in row.images)
        for token in self._control:
            if any(token in message.text for message in row.prompt):
                raise DataError(
                    f"The text contains {token}, which the model takes for a command.",
                    remedy="Write it differently, for example with a space inside.",
                )
        turns = self.turns(row)
        try:
            return RowPrompt(number, turns, written(self._processor, turns, asking=True), images)
        except REFUSALS as error:
            logger.warning("The chat template refuses row %s.", row.external_id, exc_info=True)
            raise DataError(
                f"The model's chat template refuses this row: {first_line(error)}",
                remedy="Choose rows of one question and one answer in turn.",
            ) from error

    def answer_ids(self, prompt: RowPrompt, answer: str) -> list[int]:
        """Return the tokens that follow a prompt when `answer` is given, the end included."""
        turn = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
        full = written(self._processor, [*prompt.turns, turn])
        rendered = full[len(common_prefix([prompt.text, full])) :]
        head, end, _ = rendered.rpartition(self._processor.tokenizer.eos_token)
        return list(self._ids(head + end if end else rendered))

    def token_row(
        self,
        prompt: RowPrompt,
        expansions: Mapping[str, ImageExpansion],
        features: Mapping[str, torch.Tensor],
        *,
        number: int,
        most: int = 0,
        answer: Sequence[int] = (),
    ) -> TokenRow:
        """Return a prompt ready for the decoder.

        Args:
            expansions, features: Of its images, by key.
            number: What its result is called by.
            most: Tokens to be written at most.
            answer: Tokens behind the prompt that are to be scored.

        Raises:
            DataError: It is longer than the model's context.
        """
        ids = prompt_ids(self._processor, prompt.text, prompt.images, expansions)
        room = context_room(self._model, len(ids) + len(answer))
        if room < (1 if most else 0):
            total = len(ids) + len(answer)
            raise DataError(
                f"The row has {total} tokens; the model takes {total + room}.",
                remedy="Use smaller images, or leave the row out.",
            )
        ranges, first = {}, 0
        for key in dict.fromkeys(prompt.keys):
            ranges[key] = (first, len(features[key]))
            first += len(features[key])
        sample = RowIds(ids, (), prompt.images)
        slots = slots_of(sample, self._model.config.image_token_id, ranges)
        slots = np.concatenate([slots, np.full(len(answer), -1, dtype=np.int64)])
        return TokenRow(
            number=number,
            ids=np.asarray([*ids, *answer], dtype=np.int64),
            slots=slots,
            images=prompt.keys,
            features=torch.cat([features[key] for key in ranges]) if ranges else None,
            positions=self._positions(prompt, expansions, slots),
            room=min(most, room),
            scored=len(answer),
        )

    def same_as_processor(self, prompt: RowPrompt, row: TokenRow) -> bool:
        """Return whether the model's processor makes the same tokens of a prompt with its images."""
        made = self._processor(
            text=[prompt.text],
            images=[[image.pixels() for image in prompt.images]] if prompt.images else None,
            add_special_tokens=False,
        )
        return list(made["input_ids"][0]) == row.ids.tolist()

    def _positions(
        self, prompt: RowPrompt, expansions: Mapping[str, ImageExpansion], slots: np.ndarray
    ) -> np.ndarray | None:
        if not self._merge:
            return None
        grids: list[Any] = [expansions[key].grid for key in prompt.keys]
        return grid_positions(slots >= 0, grids, self._merge)

    def _ids(self, text: str) -> list[int]:
        return self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
