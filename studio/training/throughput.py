"""How fast training goes and how much memory it holds; evaluating and saving do not count."""

from __future__ import annotations

import time

import psutil
import torch


class Throughput:
    """Times optimizer steps; `rates` covers the steps since it was last asked.

    Args:
        batch: Rows per optimizer step over all processes.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.began = time.monotonic()
        self._first_step = 0
        self._step_began = 0.0
        self._seconds = 0.0
        self._steps = 0
        self._tokens = 0.0
        self._process = psutil.Process()

    def begin(self, step: int) -> None:
        """Training starts or goes on at `step`."""
        self.began, self._first_step = time.monotonic(), step

    def step_begins(self) -> None:
        """An optimizer step begins now."""
        self._step_began = time.monotonic()

    def step_ends(self) -> None:
        """The optimizer step that began last has ended."""
        self._seconds += time.monotonic() - self._step_began
        self._steps += 1

    def seconds_per_step(self, step: int) -> float:
        """Return the mean over this attempt, evaluating and saving included: what an ETA needs."""
        return (time.monotonic() - self.began) / max(1, step - self._first_step)

    def rates(self, tokens: float | None) -> dict[str, float]:
        """Return the rows and tokens per second since the last call, and memory in GB (10⁹ bytes).

        Args:
            tokens: All tokens of this attempt so far, padding left out, as TRL counts them.
        """
        on_gpu = torch.cuda.is_available()
        held = torch.cuda.max_memory_allocated() if on_gpu else self._process.memory_info().rss
        found = {"memory_gb": round(held / 1e9, 3)}
        if self._seconds > 0 and self._steps:
            found["samples_per_second"] = round(self._steps * self.batch / self._seconds, 3)
            if tokens is not None and tokens > self._tokens:
                found["tokens_per_second"] = round((tokens - self._tokens) / self._seconds, 1)
        self._tokens = tokens or 0.0
        self._seconds, self._steps = 0.0, 0
        return found
