"""One answer, token by token, from a `generate` that can be cancelled and takes turns."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from studio.inference.fair_lock import Turns
from studio.inference.protocol import ChatDelta, Stopped
from studio.inference.token_text import TokenText


@dataclass(frozen=True)
class Generation:
    """What an answer is generated with.

    Attributes:
        inputs: Model inputs of batch size 1.
        arguments: Keyword arguments of `generate`; `max_new_tokens` among them.
        stops: Token ids that end the answer.
        activate: Makes the wanted adapter the active one; called whenever the turn begins.
        cancelled: Set to end the answer after the current token.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    inputs: dict[str, Any]
    arguments: dict[str, Any]
    stops: list[int]
    seed: int = 0
    turns: Turns = field(default_factory=Turns)
    activate: Callable[[], None] = lambda: None
    cancelled: threading.Event = field(default_factory=threading.Event)


def stream(generation: Generation) -> Iterator[ChatDelta]:
    """Yield the text as it is generated, then one delta with `done`.

    Closing the iterator early cancels the generation and waits for its current token.
    Errors of the model are raised here.
    """
    tokens: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    answer = TokenText(generation.tokenizer)
    started = time.perf_counter()
    with ThreadPoolExecutor(1, thread_name_prefix="generate") as pool:
        running = pool.submit(_generate, generation, tokens)
        running.add_done_callback(lambda _: tokens.put(None))
        stopped: Stopped = "length"
        try:
            while (token := tokens.get()) is not None:
                if token in generation.stops:
                    stopped = "end"
                elif text := answer.add(token):
                    yield ChatDelta(text=text)
            running.result()
            if stopped == "length" and generation.cancelled.is_set():
                stopped = "cancelled"
        finally:
            generation.cancelled.set()
    if rest := answer.rest():
        yield ChatDelta(text=rest)
    count = len(answer.ids)
    speed = round(count / (time.perf_counter() - started), 2)
    yield ChatDelta(done=True, tokens=count, tokens_per_second=speed, stopped=stopped)


def _generate(generation: Generation, tokens: queue.SimpleQueue[int | None]) -> None:
    with generation.turns.held(), torch.inference_mode():
        if generation.cancelled.is_set():  # while it waited for its turn
            return
        generation.activate()
        torch.manual_seed(generation.seed)
        generation.model.generate(
            **generation.inputs,
            **generation.arguments,
            eos_token_id=generation.stops,
            pad_token_id=generation.stops[0],
            streamer=_Streamer(tokens),
            stopping_criteria=[_BetweenTokens(generation)],
        )


class _BetweenTokens(StoppingCriteria):
    """Stops a cancelled answer; lets others who wait for the model have their token."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        if self._generation.turns.contended and not self._generation.cancelled.is_set():
            self._give_way()
        stop = self._generation.cancelled.is_set()
        return torch.full((input_ids.shape[0],), stop, device=input_ids.device)

    def _give_way(self) -> None:
        random = _random_state()
        self._generation.turns.release()
        self._generation.turns.acquire()
        _restore_random_state(random)
        self._generation.activate()


def _random_state() -> tuple[torch.Tensor, list[torch.Tensor]]:
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), on_gpus


def _restore_random_state(state: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    on_cpu, on_gpus = state
    torch.set_rng_state(on_cpu)
    if on_gpus:
        torch.cuda.set_rng_state_all(on_gpus)


class _Streamer(BaseStreamer):
    """Hands on generated ids; `generate` puts the prompt first."""

    def __init__(self, tokens: queue.SimpleQueue[int | None]) -> None:
        self._tokens = tokens
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self._tokens.put(int(value.reshape(-1)[0]))
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing is held back here."""
