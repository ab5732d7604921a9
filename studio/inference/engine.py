"""One base model in memory with its adapters, answering several conversations at a time."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.errors import BusyError, StoppedError
from studio.data.schema import Message
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
        cancelled = cancelled or threading.Event()
        if not self._holds(model):
            yield ChatDelta(stage=f"Loading {model.id}")
        with self._using(model, cancelled) as base, _explained_oom(model):
            if adapter is not None:
                self._load_adapter(base, adapter, same_base)
            yield from stream(
                self._generation(base, adapter, messages, images, sampling, cancelled, same_base)
            )

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
        cancelled = cancelled or threading.Event()
        with self._using(model, cancelled) as base, _explained_oom(model):
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
        with self._using(model, threading.Event()) as base:
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

    def _generation(
        self,
        base: _Base,
        adapter: Path | None,
        messages: Sequence[Message],
        images: Sequence[Image.Image],
        sampling: Sampling,
        cancelled: threading.Event,
        same_base: bool,
    ) -> Generation:
        model, processor = base.loaded.model, base.loaded.processor
        inputs = build_inputs(processor, model, messages, images)
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
            activate=lambda: base.shelf.activate(adapter, same_base=same_base),
            cancelled=cancelled,
        )

    @contextmanager
    def _using(self, model: ModelConfig, cancelled: threading.Event) -> Iterator[_Base]:
        base = self._enter(model, cancelled)
        try:
            yield base
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def _enter(self, model: ModelConfig, cancelled: threading.Event) -> _Base:
        with self._changed:
            while self._users and not self._holds(model):
                if cancelled.is_set():
                    raise StoppedError("The answer was stopped before it began.")
                self._changed.wait(POLL_SECONDS)
            base = self._base
            if base is None or not self._holds(model):
                self._drop()
                with _explained_oom(model):
                    loaded = load_model(model)
                loaded.model.eval()
                base = self._base = _Base(model, loaded, AdapterShelf(loaded.model, model))
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
