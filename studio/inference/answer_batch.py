"""Several columns' answers in one batch: images encoded once, prompts read and tokens written together.

A column's tokens are chosen from its own row, with random numbers of its own, as `generate` chooses
them for it alone. Columns that end or are stopped leave the batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from studio.core.errors import DataError, StudioError
from studio.data.schema import Message
from studio.inference.chat_inputs import overlong, prompt_text
from studio.inference.fair_lock import Turns
from studio.inference.protocol import NOT_BEGUN, ChatDelta, Stopped
from studio.inference.sampling import Sampling
from studio.inference.token_text import TokenText
from studio.models.answering.decoder import Decoder, TokenRow, Writing, obstacle
from studio.models.answering.image_bank import ImageBank
from studio.models.answering.row_prompts import PromptWriter, RowPrompt
from studio.models.image_features.families import FAMILIES
from studio.models.image_features.lazy_images import ImageRef, image_ref
from studio.models.image_features.row_token_ids import prompt_ids
from studio.models.load import Loaded
from studio.models.loaded_adapters import AdapterShelf
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.models.stop_tokens import context_room

logger = logging.getLogger(__name__)

Arrival = tuple[int, ChatDelta | StudioError]
"""The number of a column, and what came for it."""
DRAWING: dict[str, tuple[Any, ...]] = {
    "min_p": (None,),
    "top_h": (None,),
    "typical_p": (None, 1.0),
    "epsilon_cutoff": (None, 0.0),
    "eta_cutoff": (None, 0.0),
    "renormalize_logits": (None, False),
}
"""Settings of a model's own generation that change drawn tokens, with the values that do not."""


@dataclass(frozen=True)
class Column:
    """One of the answers that are asked for at a time.

    Attributes:
        adapter: Folder of the adapter that answers; None for the base model itself.
        messages: Up to the last user turn; images as placeholders.
        images: One for each placeholder, in order: RGB, or where it is.
        same_base: The user says that the base which the adapter names is the model in memory.
        cancelled: Set to end this answer after the current token.
    """

    adapter: Path | None
    messages: Sequence[Message]
    images: Sequence[Image.Image | ImageRef]
    sampling: Sampling = field(default_factory=Sampling)
    same_base: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    def pictures(self) -> list[Image.Image]:
        """Return its images decoded. Raises DataError."""
        return [image_ref(image).pixels() for image in self.images]


@dataclass
class _Answer:
    """A column's answer so far.

    Attributes:
        chance: Where its random numbers come from.
        stopped: As in `ChatDelta`; empty while it goes on.
    """

    number: int
    column: Column
    row: TokenRow
    text: TokenText
    chance: torch.Generator
    stopped: Stopped = ""

    def __post_init__(self) -> None:
        self._choosing = _choosing(self.column.sampling)

    def choose(self, logits: torch.Tensor) -> int:
        """Return the next token, from logits of (1, vocabulary)."""
        if self._choosing:
            ids = torch.tensor([[*self.row.ids.tolist(), *self.text.ids]], device=logits.device)
            logits = self._choosing(ids, logits.float())
        if self.column.sampling.temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial(logits.float().softmax(-1), 1, generator=self.chance))

    def add(self, token: int) -> str:
        """Take a token; returns what may be shown of it."""
        shown = self.text.add(token)
        if len(self.text.ids) >= self.row.room:
            self.stopped = "length"
        return shown


class BatchedAnswers:
    """Answers of one base model in memory, written in one batch where nothing is in the way."""

    def __init__(self, loaded: Loaded, shelf: AdapterShelf, turns: Turns) -> None:
        self._loaded = loaded
        self._shelf = shelf
        self._turns = turns
        self._obstacle = obstacle(loaded.model)
        self._writer = PromptWriter(loaded.model, loaded.processor)
        self._bank = ImageBank(loaded)
        self._compared: set[int] = set()
        self._told: set[str] = set()

    def begin(self, columns: Mapping[int, Column]) -> AnswerBatch | None:
        """Read the prompts of columns, by their numbers; None when they are to be answered in turn.

        Why is written into the log.
        """
        with self._turns.held():
            if reason := self._why_apart(list(columns.values())):
                self._tell(reason)
                return None
            answers: list[_Answer] = []
            ended: list[Arrival] = []
            for number, column in columns.items():
                if column.cancelled.is_set():
                    ended.append((number, NOT_BEGUN))
                    continue
                try:
                    answers.append(self._answer(number, column))
                except StudioError as error:
                    ended.append((number, error))
            if self._obstacle:
                self._tell(self._obstacle)
                return None
            batch = AnswerBatch(self._loaded, self._shelf, self._turns, answers, ended)
            try:
                batch.read()
            except MEMORY_ERRORS as error:
                if not ran_out(error) or len(answers) < 2:
                    raise
                logger.warning("Memory ran out for a batch; answers in turn.", exc_info=True)
                return None
        return batch

    def _tell(self, reason: str) -> None:
        """Write into the log why answers are written in turn, once for each reason."""
        if reason not in self._told:
            self._told.add(reason)
            logger.warning("Answers are written in turn: %s.", reason)

    def _why_apart(self, columns: Sequence[Column]) -> str:
        if self._obstacle:
            return self._obstacle
        settings, kind = self._loaded.model.generation_config, self._loaded.model.config.model_type
        for name, plain in DRAWING.items():
            if getattr(settings, name, None) not in plain:
                return f"the model's own {name} changes drawn tokens"
        if FAMILIES[kind].alone and any(len(column.images) > 1 for column in columns):
            return f"{kind} reads several images together"
        if len({column.adapter for column in columns}) == 1:
            return ""
        for column in columns:
            if column.adapter is None:
                continue
            self._shelf.activate(column.adapter, same_base=column.same_base)
            if reason := self._shelf.obstacle(column.adapter):
                return f"{column.adapter}: {reason}"
        return ""

    def _answer(self, number: int, column: Column) -> _Answer:
        """A column with its prompt as tokens and features. Raises StudioError."""
        model, processor = self._loaded.model, self._loaded.processor
        text = prompt_text(processor, column.messages, len(column.images))
        images = tuple(image_ref(image) for image in column.images)
        prompt = RowPrompt(number, (), text, images)
        self._shelf.activate(column.adapter, same_base=column.same_base)
        bank = self._features(column.adapter)
        bank.failed.clear()  # memory may be free by now
        bank.hold(images)
        bank.refuse(images)
        most = column.sampling.max_new_tokens
        try:
            row = self._writer.token_row(
                prompt, bank.expansions, bank.features, number=number, most=most
            )
        except DataError as error:  # nothing but its length is in the way here
            length = len(prompt_ids(processor, text, images, bank.expansions))
            if context_room(model, length) > 0:
                raise
            raise overlong(model, length) from error
        if len(images) not in self._compared:
            if not self._writer.same_as_processor(prompt, row):
                self._obstacle = "the processor makes other tokens of a prompt than expected"
            self._compared.add(len(images))
        chance = torch.Generator(model.device).manual_seed(column.sampling.seed)
        return _Answer(number, column, row, TokenText(processor.tokenizer), chance)

    def _features(self, adapter: Path | None) -> ImageBank:
        """Features as the active adapter's vision tower makes them."""
        if adapter is None or not self._shelf.touched(adapter) & {"vision", "projector"}:
            return self._bank
        return ImageBank(self._loaded)


class AnswerBatch:
    """Answers under way, one row of a batch each."""

    def __init__(
        self,
        loaded: Loaded,
        shelf: AdapterShelf,
        turns: Turns,
        answers: Sequence[_Answer],
        ended: Sequence[Arrival],
    ) -> None:
        self._shelf = shelf
        self._turns = turns
        self._active = list(answers)
        self._ended_before = ended
        self._decoder = Decoder(loaded.model, loaded.processor, self._forward)
        self._writing: Writing | None = None
        self._began = time.perf_counter()

    def read(self) -> None:
        """Read the prompts; the caller has the turn."""
        if self._active:
            self._writing = self._decoder.begin([[answer.row] for answer in self._active])

    def stream(self) -> Iterator[Arrival]:
        """Yield the texts as they are written, and one delta with `done` for each column.

        The model is nobody's between two tokens, so an iterator that is dropped holds nothing.
        """
        yield from self._ended_before
        while self._active and self._writing is not None:
            going, tokens = [], []
            for place, answer in enumerate(self._active):
                if answer.column.cancelled.is_set():
                    answer.stopped = "cancelled"
                else:
                    token = answer.choose(self._writing.logits[place : place + 1])
                    if token in self._decoder.ends:
                        answer.stopped = "end"
                    elif text := answer.add(token):
                        yield answer.number, ChatDelta(text=text)
                if answer.stopped:
                    yield from self._ended(answer)
                else:
                    going.append(place)
                    tokens.append(token)
            if len(going) < len(self._active):
                self._active = [self._active[place] for place in going]
                if going:
                    self._writing.keep(going)
            if going:
                with self._turns.held():
                    self._decoder.go_on(self._writing, tokens)

    def _ended(self, answer: _Answer) -> Iterator[Arrival]:
        if rest := answer.text.rest():
            yield answer.number, ChatDelta(text=rest)
        count = len(answer.text.ids)
        speed = round(count / (time.perf_counter() - self._began), 2)
        yield (
            answer.number,
            ChatDelta(done=True, tokens=count, tokens_per_second=speed, stopped=answer.stopped),
        )

    def _forward(self, **inputs: Any) -> Any:
        return self._shelf.forward([answer.column.adapter for answer in self._active], **inputs)


def _choosing(sampling: Sampling) -> LogitsProcessorList:
    """What `generate` does to the logits for these settings, in its order."""
    found = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        found.append(RepetitionPenaltyLogitsProcessor(penalty=sampling.repetition_penalty))
    if sampling.temperature not in (0, 1):
        found.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.temperature and sampling.top_k:
        found.append(TopKLogitsWarper(top_k=sampling.top_k))
    if sampling.temperature and sampling.top_p < 1:
        found.append(TopPLogitsWarper(top_p=sampling.top_p))
    return found
