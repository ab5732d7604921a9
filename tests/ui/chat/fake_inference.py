"""Chat with models that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from studio.api.context import StudioContext
from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import StudioError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.inference.client import ChatModel, InferenceStatus
from studio.inference.protocol import ChatDelta, ChatRequest
from studio.inference.sampling import Sampling
from studio.runs.event_log import EventLog
from studio.runs.store import RunStore
from studio.ui.chat.handlers import ChatHandlers
from studio.ui.chat.models import EMBEDDED_KEY
from studio.ui.chat.state import ChatConversation

BASE = ChatModel("Embedded chart model", ModelConfig())


ADAPTER = ChatModel("Grounded · DPO", ModelConfig(), run="r1", system_prompt="Be brief.")


DEFAULTS = tuple(Sampling().model_dump().values())


class FakeInference:
    """Answers every request with its script and keeps what it was asked."""

    def __init__(self, *script: ChatDelta | StudioError) -> None:
        self.script = script
        self.asked: list[ChatRequest] = []
        self.closed = False

    def models(self) -> list[ChatModel]:
        return [BASE, ADAPTER]

    def training(self) -> None:
        return None

    def status(self) -> InferenceStatus:
        return InferenceStatus()

    def compare(
        self,
        requests: Sequence[ChatRequest],
        unwanted: Callable[[int], bool] = bool,
    ) -> Iterator[tuple[int, ChatDelta | StudioError]]:
        self.asked = list(requests)
        try:
            for what in self.script:
                for number in range(len(requests)):
                    yield number, what
        finally:
            self.closed = True


def handlers(tmp_path: Path, *script: ChatDelta | StudioError) -> ChatHandlers:
    workspace = Workspace.locate(tmp_path / "workspace")
    context = StudioContext(
        workspace=workspace,
        store=None,
        images=ImageStore(workspace),
        runs=RunStore(workspace),
        supervisor=None,
        planner=None,
        inference=FakeInference(*script),
    )
    return ChatHandlers(context, [])


def chosen(
    key: str = EMBEDDED_KEY,
    compare: bool = False,
    others: tuple[str, ...] = (),
    blind: bool = False,
    quantization: str = "",
) -> tuple:
    """The fields beside the question, as the page sends them."""
    return (key, compare, [*others], blind, quantization, "", *DEFAULTS)


def ask(
    chat: ChatHandlers,
    conversation: ChatConversation,
    question: str | None,
    images: list[str],
    key: str = EMBEDDED_KEY,
    compare: bool = False,
) -> list[tuple]:
    gallery = [(path, None) for path in images]
    return list(chat.ask(None, conversation, question, gallery, *chosen(key, compare)))


def trained(chat: ChatHandlers, image: str, **data: str) -> str:
    """A run with two probes, of which training changed the second, that can be chatted with."""
    sha = chat.context.images.add(image)
    run = chat.context.runs.create(run_file.parse({"name": "mine", "data": data}))
    log = EventLog(run.paths.events)
    asked = [("Kept?", "yes"), ("Colour?", "no idea"), ("Without an image?", "x")]
    rows = [{"question": q, "images": [sha], "base": base} for q, base in asked]
    rows[-1]["images"] = []
    log.append("probe_rows", rows=rows)
    log.append("probe", step=5, answers=["yes", "green", "x"])
    chat.context.inference.models = lambda: [
        BASE,
        ChatModel("Mine · SFT", ModelConfig(), run=run.run_id),
    ]
    return run.run_id
