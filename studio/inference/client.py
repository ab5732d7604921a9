"""Chat with base models and adapters through the inference child; no torch here."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields

from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker, Reply
from studio.core.child_server import decode_error
from studio.core.errors import BusyError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EMBEDDED, Workspace
from studio.inference.model_choice import adapter_checkpoints
from studio.inference.protocol import ChangeRequest, ChatDelta, ChatRequest, LoadRequest
from studio.runs.checkpoints import adapter_step, step_of
from studio.runs.store import Run, RunStore

IDLE_MINUTES = 15.0
TICK_SECONDS = 0.1
_Arrived = queue.SimpleQueue[tuple[int, ChatDelta | StudioError | None]]


@dataclass(frozen=True)
class ChatModel:
    """Something to chat with.

    Attributes:
        label: What a list calls it.
        model: The base model.
        run: The run whose adapter it is; empty for a base model. `RUN@STEP` for a checkpoint.
        system_prompt: What the run was trained with.
        step: The optimizer step that the adapter is of, where it is known.
    """

    label: str
    model: ModelConfig
    run: str = ""
    system_prompt: str = ""
    step: int | None = None

    @property
    def run_id(self) -> str:
        """The run without a step."""
        return self.run.partition("@")[0]


@dataclass(frozen=True)
class InferenceStatus:
    """What the inference child holds; all zero while there is none.

    Attributes:
        model: The base model in memory.
        adapters: Runs whose adapters are in memory.
        answering: Answers under way.
        resident, on_gpu, gpu_free: Bytes of main and GPU memory it holds, and of GPU memory free.
    """

    running: bool = False
    model: ModelConfig | None = None
    adapters: tuple[str, ...] = ()
    answering: int = 0
    device: str = ""
    resident: int = 0
    on_gpu: int = 0
    gpu_free: int = 0


class InferenceClient:
    """Starts the inference child on demand and ends it when nobody has asked for a while."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        idle_minutes: float = IDLE_MINUTES,
        worker: PipeWorker | None = None,
    ) -> None:
        self._runs = RunStore(workspace)
        self._worker = worker or PipeWorker(
            ["inference", "--workspace", str(workspace.root)], workspace.root / "inference.log"
        )
        self._idle_seconds = idle_minutes * 60
        self._lock = threading.Lock()
        self._in_use = 0
        self._last_used = time.monotonic()
        self._timer: threading.Timer | None = None

    def models(self) -> list[ChatModel]:
        """Return base models (the embedded one first), then finished adapters, newest first.

        The last come the adapters of checkpoints.
        """
        runs = self._runs.list()
        trained = [run for run in runs if _can_chat(run)]
        bases = {base_label(ModelConfig()): ChatModel(base_label(ModelConfig()), ModelConfig())}
        for run in trained:
            model = run.config.model
            bases.setdefault(base_label(model), ChatModel(base_label(model), model))
        steps = [model for run in runs for model in _checkpoints_of(run)]
        return [*bases.values(), *map(_adapter_of, trained), *steps]

    def chat(self, request: ChatRequest) -> Generator[ChatDelta]:
        """Continue a conversation; closing the iterator early cancels the generation.

        Raises:
            InputError: The conversation, the model or the adapter cannot be used.
            BusyError: The model does not fit into memory beside what runs already.
            RunFailedError: The child died.
        """
        yield self._starting()
        with self._used(), self._ask(request) as reply:
            for message in reply:
                yield _delta(message)

    def compare(
        self,
        requests: Sequence[ChatRequest],
        unwanted: Callable[[int], bool] = lambda _number: False,
    ) -> Iterator[tuple[int, ChatDelta | StudioError]]:
        """Several answers at a time: (number of the request, what came for it).

        An error ends its own answer only. Closing the iterator early cancels all of them; so
        that this is noticed soon, something comes at least every `TICK_SECONDS`, if only an
        empty delta.

        Args:
            unwanted: Says of a number whether its answer alone is to end; asked whenever
                something has come. Its last delta still comes.
        """
        yield 0, self._starting()
        arrived: _Arrived = queue.SimpleQueue()
        open_answers = set(range(len(requests)))
        asked = [request.model_dump(mode="json") for request in requests]
        with self._used(), ThreadPoolExecutor(1) as threads:
            reply = self._worker.request({"kind": "compare", "compare": asked})
            try:
                threads.submit(_listen, reply, len(requests), arrived)
                stopped: set[int] = set()
                while True:
                    for number in filter(unwanted, open_answers - stopped):
                        stopped.add(number)
                        reply.cancel_part(number)
                    number, what = _next(arrived)
                    if what is None:
                        return
                    if isinstance(what, ChatDelta) or number in open_answers:
                        yield number, what
                    if isinstance(what, StudioError) or what.done:
                        open_answers.discard(number)
            finally:
                reply.close()

    def changes(self, request: ChangeRequest) -> list[tuple[str, float]]:
        """Return the pieces of an answer, each with how much likelier the adapter makes it (nats).

        Raises:
            InputError: The conversation, the model or the adapter cannot be used.
            BusyError: The model does not fit into memory beside what runs already.
            RunFailedError: The child died.
        """
        asked = request.model_dump(mode="json")
        with self._used():
            answer = self._worker.call({"kind": "changes", "changes": asked})
        return [(str(piece), float(change)) for piece, change in answer["pieces"]]

    def load(self, model: ModelConfig, run: str = "") -> InferenceStatus:
        """Have a base model, and a run's adapter, in memory.

        Raises:
            InputError: One of them cannot be used.
            BusyError: It does not fit into memory beside what runs already.
        """
        wanted = LoadRequest(model=model, run=run).model_dump(mode="json")
        with self._used():
            return _status(self._worker.call({"kind": "load", "load": wanted}))

    def warm(self) -> None:
        """Start the child in the background, unless a training run needs the processor."""
        if not self._worker.alive and self.training() is None:
            threading.Thread(target=self._start, name="warm-inference", daemon=True).start()

    def unload(self) -> None:
        """End the child and give all of its memory back.

        Raises:
            BusyError: Somebody is being answered.
        """
        with self._lock:
            if self._in_use:
                raise BusyError(
                    "The model is answering.", remedy="Stop the answer, or wait for its end."
                )
            self._worker.close()

    def status(self) -> InferenceStatus:
        """Return what the child holds; does not start it."""
        if not self._worker.alive:
            return InferenceStatus()
        return _status(self._worker.call({"kind": "status"}))

    def training(self) -> Run | None:
        """Return the run that is being trained now, if any: it and answers slow each other down."""
        return next((run for run in self._runs.list() if run.alive), None)

    def close(self) -> None:
        """End the child whatever it is doing."""
        if self._timer is not None:
            self._timer.cancel()
        self._worker.close()

    def _starting(self) -> ChatDelta:
        return ChatDelta(stage="" if self._worker.alive else "Starting the model process")

    def _start(self) -> None:
        with self._used():
            self._worker.call({"kind": "status"})

    def _ask(self, request: ChatRequest) -> Reply:
        return self._worker.request({"kind": "chat", "chat": request.model_dump(mode="json")})

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
                self._last_used = time.monotonic()
                self._watch_idleness(self._idle_seconds)

    def _watch_idleness(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _close_if_idle(self) -> None:
        with self._lock:
            if not self._in_use and time.monotonic() - self._last_used >= self._idle_seconds:
                self._worker.close()


def _listen(reply: Reply, count: int, arrived: _Arrived) -> None:
    """Hand on what comes for each of `count` answers; an error of the child is that of all."""
    try:
        for message in reply:
            if "failed" in message:
                error = decode_error(message["failed"])
                log_told(error)
                arrived.put((message["number"], error))
            elif "delta" in message:
                arrived.put((message["number"], _delta(message["delta"])))
    except StudioError as error:
        log_told(error)
        for number in range(count):
            arrived.put((number, error))
    finally:
        arrived.put((0, None))


def base_label(model: ModelConfig) -> str:
    """Return a base model in a few words: `SmolVLM-Instruct · NF4`."""
    name = "Embedded chart model" if model.id == EMBEDDED else model.id.rstrip("/").split("/")[-1]
    return name if model.quantization == "none" else f"{name} · {model.quantization.upper()}"


def _can_chat(run: Run) -> bool:
    try:
        return run.has_adapter and bool(run.config)
    except StudioError:
        return False  # its run file is damaged; the Runs tab says so


def _adapter_of(run: Run) -> ChatModel:
    config = run.config
    when = time.strftime("%d %b %H:%M", time.localtime(run.status.ended or run.status.queued))
    return ChatModel(
        f"{config.name} · {config.method.upper()} · {when}",
        config.model,
        run.run_id,
        config.data.system_prompt or "",
        adapter_step(run.paths),
    )


def _checkpoints_of(run: Run) -> list[ChatModel]:
    try:
        config = run.config
        folders = adapter_checkpoints(run)
    except StudioError:
        return []  # its run file is damaged; the Runs tab says so
    prompt = config.data.system_prompt or ""
    return [
        ChatModel(
            f"{config.name} · step {step}", config.model, f"{run.run_id}@{step}", prompt, step
        )
        for step in reversed([step_of(folder) for folder in folders])
    ]


def _next(arrived: _Arrived) -> tuple[int, ChatDelta | StudioError | None]:
    try:
        return arrived.get(timeout=TICK_SECONDS)
    except queue.Empty:
        return 0, ChatDelta()


def _delta(message: dict) -> ChatDelta:
    return ChatDelta(**{f.name: message[f.name] for f in fields(ChatDelta) if f.name in message})


def _status(message: dict) -> InferenceStatus:
    model = message["model"]
    return InferenceStatus(
        running=True,
        model=ModelConfig.model_validate(model) if model else None,
        adapters=tuple(message["adapters"]),
        answering=message["answering"],
        device=message["device"],
        resident=message["resident"],
        on_gpu=message["on_gpu"],
        gpu_free=message["gpu_free"],
    )
