"""The inference child: requests `chat`, `compare`, `changes`, `load`, `unload` and `status` over standard input.

Started by the studio as `python -m studio inference`; holds the models so that the studio
never imports torch and gets all memory back by ending this process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from studio.config.model import ModelConfig
from studio.core.child_server import Message, Request, encode_error, serve
from studio.core.errors import BusyError, InputError, StudioError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.inference.answer_batch import Column
from studio.inference.engine import Engine
from studio.inference.model_choice import Answerer, resolve
from studio.inference.protocol import (
    NOT_BEGUN,
    ChangeRequest,
    ChatDelta,
    ChatRequest,
    LoadRequest,
)
from studio.models.image_features.lazy_images import ImageRef
from studio.models.log_levels import quiet_libraries
from studio.models.memory_check import MemoryUse, refuse_if_too_large
from studio.runs.checkpoints import step_of
from studio.runs.store import RunStore


class InferenceHandler:
    """Answers the requests of one studio with one engine."""

    def __init__(
        self, workspace: Workspace, engine: Engine | None = None, passing: Workspace | None = None
    ) -> None:
        """Prepare to answer.

        Args:
            passing: Where images lie that are kept for the time of a question only.
        """
        self._runs = RunStore(workspace)
        self._images = ImageStore(workspace)
        self._passing = ImageStore(passing) if passing is not None else self._images
        self._engine = engine or Engine()

    def __call__(self, request: Request) -> Message | Generator[Message, None, Message | None]:
        """Answer one request.

        Raises:
            InputError: Its kind is unknown, or what it names cannot be used.
        """
        kind = request.payload.get("kind")
        if kind == "chat":
            return self._chat(request)
        if kind == "compare":
            return self._compare(request)
        if kind == "changes":
            return self._changes(request)
        if kind == "load":
            return self._load(LoadRequest.model_validate(request.payload["load"]))
        if kind == "unload":
            self._engine.unload()
            return self._status()
        if kind == "status":
            return self._status()
        raise InputError(
            f"Unknown request {kind!r}.",
            remedy="Use chat, compare, changes, load, unload or status.",
        )

    def _chat(self, request: Request) -> Generator[Message, None, Message | None]:
        chat = ChatRequest.model_validate(request.payload["chat"])
        answerer = self._answerer(chat.model, chat.run)
        for _, what in self._engine.compare(
            answerer.model, [self._column(chat, answerer, request.cancelled)]
        ):
            if isinstance(what, StudioError):
                raise what
            if what.done:
                return asdict(what)
            yield asdict(what)
        return None

    def _compare(self, request: Request) -> Generator[Message, None, Message | None]:
        """Several answers at a time: each message has the number of its request beside it."""
        chats = [ChatRequest.model_validate(chat) for chat in request.payload["compare"]]
        models: dict[int, ModelConfig] = {}
        columns: dict[int, Column] = {}
        for number, chat in enumerate(chats):
            try:
                answerer = resolve(self._runs, chat.model, chat.run)
                columns[number] = self._column(chat, answerer, request.part(number))
                models[number] = answerer.model
            except StudioError as error:
                yield _arrived(number, error)
        for model, numbers in _of_one_base(models):
            if all(columns[number].cancelled.is_set() for number in numbers):
                for number in numbers:  # its model is not loaded to say nothing
                    yield _arrived(number, NOT_BEGUN)
                continue
            try:
                self._make_room(model)
                arriving = self._engine.compare(model, [columns[number] for number in numbers])
                for place, what in arriving:
                    yield _arrived(numbers[place], what)
            except StudioError as error:
                for number in numbers:
                    yield _arrived(number, error)
        return None

    def _column(self, chat: ChatRequest, answerer: Answerer, cancelled: threading.Event) -> Column:
        images = [ImageRef(sha, str(self._store(sha).path(sha))) for sha in chat.images]
        return Column(answerer.adapter, chat.messages, images, chat.sampling, cancelled=cancelled)

    def _store(self, sha: str) -> ImageStore:
        return self._passing if self._passing.has(sha) else self._images

    def _changes(self, request: Request) -> Message:
        asked = ChangeRequest.model_validate(request.payload["changes"])
        images = [self._images.open(sha) for sha in asked.images]
        answerer = self._answerer(asked.model, asked.run)
        if answerer.adapter is None:
            raise InputError(
                "This model has no adapter that could be taken away: nothing can be compared.",
                remedy="Ask for it under the answer of an adapter.",
            )
        pieces = self._engine.changes(
            answerer.model,
            answerer.adapter,
            asked.messages,
            images,
            asked.answer,
            request.cancelled,
        )
        return {"pieces": pieces}

    def _load(self, load: LoadRequest) -> Message:
        answerer = self._answerer(load.model, load.run)
        self._engine.load(answerer.model, answerer.adapter)
        return self._status()

    def _answerer(self, model: ModelConfig, run_id: str) -> Answerer:
        answerer = resolve(self._runs, model, run_id)
        self._make_room(answerer.model)
        return answerer

    def _make_room(self, model: ModelConfig) -> None:
        if self._engine.loaded != model:
            with suppress(BusyError):
                self._engine.unload()
            refuse_if_too_large(model, self._runs)

    def _status(self) -> Message:
        loaded = self._engine.loaded
        return {
            "model": loaded.model_dump(mode="json") if loaded is not None else None,
            "adapters": [_run_of(folder) for folder in self._engine.adapters],
            "answering": self._engine.answering,
            **asdict(MemoryUse.now()),
        }


def _arrived(number: int, what: ChatDelta | StudioError) -> Message:
    if isinstance(what, StudioError):
        return {"number": number, "failed": encode_error(what)}
    return {"number": number, "delta": asdict(what)}


def _of_one_base(models: Mapping[int, ModelConfig]) -> list[tuple[ModelConfig, list[int]]]:
    """Each base model with the numbers of those that it answers, in the order of the first."""
    groups: list[tuple[ModelConfig, list[int]]] = []
    for number, model in models.items():
        for known, numbers in groups:
            if known == model:
                numbers.append(number)
                break
        else:
            groups.append((model, [number]))
    return groups


def _run_of(folder: Path) -> str:
    step = step_of(folder)
    return folder.parent.name if step < 0 else f"{folder.parent.parent.name}@{step}"


def main(workspace: Workspace, passing: Workspace | None = None) -> None:
    """Serve until standard input closes.

    Args:
        passing: Where images lie that are kept for the time of a question only.
    """
    quiet_libraries()
    serve(InferenceHandler(workspace, passing=passing))


if __name__ == "__main__":
    main(Workspace.locate(sys.argv[1] if len(sys.argv) > 1 else None))
