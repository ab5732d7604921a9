"""One base model in memory with its adapters, answering several conversations at a time."""

from __future__ import annotations

import gc
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.errors import BusyError, StoppedError, StudioError
from studio.data.schema import Message
from studio.inference.answer_batch import Arrival, BatchedAnswers, Column
from studio.inference.answer_stream import Generation, stream
from studio.inference.chat_inputs import build_inputs
from studio.inference.fair_lock import Turns
from studio.inference.likelihood_change import change_per_piece
from studio.inference.protocol import ChatDelta
from studio.inference.sampling import Sampling
from studio.models.load import Loaded, load_model
from studio.models.loaded_adapters import AdapterShelf
from studio.models.oom import MEMORY_ERRORS, first_line, ran_out
from studio.models.stop_tokens import context_room, stop_tokens

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class _Base:
    config: ModelConfig
    loaded: Loaded
    shelf: AdapterShelf
    batched: BatchedAnswers


class Engine:
    """Loads what is asked for, one base model at a time, and streams answers.

    Answers with the same base model, whatever their adapters, take turns token by token;
    one with another base waits until those are done, then the first base is unloaded.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._base: _Base | None = None
        self._users = 0
        self._turns = Turns()

    @property
    def loaded(self) -> ModelConfig | None:
        """The base model in memory."""
        base = self._base
        return base.config if base is not None else None

    @property
    def adapters(self) -> list[Path]:
        """Folders of the adapters in memory."""
        base = self._base
        return base.shelf.folders if base is not None else []

    @property
    def answering(self) -> int:
        """Answers under way."""
        return self._users

    def chat(
        self,
        model: ModelConfig,
        adapter: Path | None,
        messages: Sequence[Message],
        images: Sequence[Image.Image],
        sampling: Sampling,
        cancelled: threading.Event | None = None,
        *,
        same_base: bool = False,
    ) -> Iterator[ChatDelta]:
        """Continue a conversation.

        Args:
            adapter: Folder of the adapter that answers; None for the base model itself.
            same_base: The user says that the base which the adapter names is `model`.
            messages: Up to the last user turn; images as placeholders.
            images: RGB images, one for each placeholder, in order.

        Raises:
            InputError: The conversation, the model or the adapter cannot be used.
            BusyError: Memory ran out.
        """
        column = Column(
            adapter, messages, images, sampling, same_base, cancelled or threading.Event()
        )
        for _, what in self.compare(model, [column]):
            if isinstance(what, StudioError):
                raise what
            yield what

    def compare(self, model: ModelConfig, columns: Sequence[Column]) -> Iterator[Arrival]:
        """Yield what comes for several answers at a time, each with the number of its column.

        They are written in one batch where PEFT mixes their adapters and nothing else is in the
        way, token by token in turn elsewhere. A column that cannot be answered ends with its error.

        Raises:
            InputError: The model cannot be used.
            BusyError: Memory ran out.
        """
        if not self._holds(model):
            yield from ((n, ChatDelta(stage=f"Loading {model.id}")) for n in range(len(columns)))
        with (
            self._using(model, [column.cancelled for column in columns]) as base,
            _explained_oom(model),
        ):
            ready = {}
            for number, column in enumerate(columns):
                try:
                    if column.adapter is not None:
                        self._load_adapter(base, column.adapter, column.same_base)
                    ready[number] = column
                except StudioError as error:
                    yield number, error
            batch = base.batched.begin(ready) if ready else None
            if batch is not None:
                yield from batch.stream()
            else:
                yield from self._in_turn(base, ready)

    def _in_turn(self, base: _Base, columns: Mapping[int, Column]) -> Iterator[Arrival]:
        """Answers that a `generate` each writes."""
        if not columns:
            return
        arrived: queue.SimpleQueue[tuple[int, ChatDelta | None]] = queue.SimpleQueue()

        def listen(number: int, column: Column) -> None:
            try:
                for delta in stream(self._generation(base, column)):
                    arrived.put((number, delta))
            finally:
                arrived.put((number, None))

        with ThreadPoolExecutor(len(columns), thread_name_prefix="column") as threads:
            try:
                listening = {n: threads.submit(listen, n, column) for n, column in columns.items()}
                while listening:
                    number, delta = arrived.get()
                    if delta is not None:
                        yield number, delta
                        continue
                    try:
                        listening.pop(number).result()
                    except StudioError as error:
                        yield number, error
            finally:
                for column in columns.values():
                    column.cancelled.set()

    def changes(
        self,
        model: ModelConfig,
        adapter: Path,
        messages: Sequence[Message],
        images: Sequence[Image.Image],
        answer: str,
        cancelled: threading.Event | None = None,
    ) -> list[tuple[str, float]]:
        """Return the pieces of an answer, each with how much likelier the adapter makes it (nats).

        Raises:
            InputError: The conversation, the model or the adapter cannot be used.
            BusyError: Memory ran out.
        """
        with self._using(model, [cancelled or threading.Event()]) as base, _explained_oom(model):
            loaded, shelf = base.loaded, base.shelf
            inputs = dict(build_inputs(loaded.processor, loaded.model, messages, images))
            with self._turns.held():
                return change_per_piece(
                    loaded.model,
                    loaded.processor.tokenizer,
                    inputs,
                    answer,
                    lambda adapted: shelf.activate(adapter if adapted else None),
                )

    def load(self, model: ModelConfig, adapter: Path | None = None) -> None:
        """Have a base model and an adapter in memory.

        Raises:
            InputError: One of them cannot be used.
            BusyError: Memory ran out.
        """
        with self._using(model) as base:
            if adapter is not None:
                self._load_adapter(base, adapter)

    def unload(self) -> None:
        """Free the memory.

        Raises:
            BusyError: Answers are being written.
        """
        with self._changed:
            if self._users:
                raise BusyError(
                    "The model is answering.", remedy="Stop the answer or wait for its end."
                )
            self._drop()

    def _holds(self, model: ModelConfig) -> bool:
        base = self._base
        return base is not None and base.config == model and not base.shelf.spoiled

    def _load_adapter(self, base: _Base, folder: Path, same_base: bool = False) -> None:
        with self._turns.held():
            base.shelf.activate(folder, same_base=same_base)

    def _generation(self, base: _Base, column: Column) -> Generation:
        model, processor = base.loaded.model, base.loaded.processor
        sampling = column.sampling
        inputs = build_inputs(processor, model, column.messages, column.pictures())
        arguments = sampling.generate_arguments()
        room = context_room(model, inputs["input_ids"].shape[1])
        arguments["max_new_tokens"] = min(sampling.max_new_tokens, room)
        return Generation(
            model=model,
            tokenizer=processor.tokenizer,
            inputs=dict(inputs),
            arguments=arguments,
            stops=stop_tokens(processor, model),
            seed=sampling.seed,
            turns=self._turns,
            activate=lambda: base.shelf.activate(column.adapter, same_base=column.same_base),
            cancelled=column.cancelled,
        )

    @contextmanager
    def _using(
        self, model: ModelConfig, cancelled: Sequence[threading.Event] = ()
    ) -> Iterator[_Base]:
        base = self._enter(model, cancelled)
        try:
            yield base
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def _enter(self, model: ModelConfig, cancelled: Sequence[threading.Event]) -> _Base:
        with self._changed:
            while self._users and not self._holds(model):
                if cancelled and all(event.is_set() for event in cancelled):
                    raise StoppedError("The answer was stopped before it began.")
                self._changed.wait(POLL_SECONDS)
            base = self._base
            if base is None or not self._holds(model):
                self._drop()
                with _explained_oom(model):
                    loaded = load_model(model)
                loaded.model.eval()
                shelf = AdapterShelf(loaded.model, model)
                batched = BatchedAnswers(loaded, shelf, self._turns)
                base = self._base = _Base(model, loaded, shelf, batched)
            self._users += 1
            return base

    def _drop(self) -> None:
        self._base = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextmanager
def _explained_oom(model: ModelConfig) -> Iterator[None]:
    try:
        yield
    except MEMORY_ERRORS as error:
        if not ran_out(error):
            raise
        raise BusyError(
            f"Memory ran out with {model.id}: {first_line(error)}",
            remedy="Use fewer or smaller images, a shorter answer, or model.quantization: nf4; "
            "a training run on the same device may hold the memory.",
            field="model.id",
        ) from error
