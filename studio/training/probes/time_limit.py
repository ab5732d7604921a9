"""A clock for answers asked while a run trains: it ends them in time, and shows that all is alive."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from transformers import StoppingCriteria

from studio.core.paths import RunPaths
from studio.runs.control import command_file
from studio.runs.status import beat

LEAST_TOKENS = 8
HEARTBEAT = 1.0
STOPS = ("stop", "stop_now")


class Clock(StoppingCriteria):
    """Ends answers when their time is up, or when the run is asked to stop.

    Attributes:
        tokens: New tokens so far of the answers under way.
        late: Whether time was up before they were complete; eight tokens are always allowed.
        stopped: Whether the run was asked to stop; its answers are worth nothing then.
    """

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self.tokens = 0
        self.late = False
        self.stopped = False
        self._prompt = 0
        self._began = self._ends = self._beat = 0.0

    def begin(self, seconds: float = math.inf) -> None:
        """The next answers may take `seconds`."""
        self._began = time.monotonic()
        self._ends = self._began + seconds
        self.tokens, self.late, self._prompt = 0, False, 0
        self.tick()

    @property
    def passed(self) -> float:
        """Seconds since `begin`."""
        return time.monotonic() - self._began

    def tick(self) -> None:
        """A sign of life, once a second at most, and a look at what is wished of the run."""
        now = time.monotonic()
        if now - self._beat >= HEARTBEAT:
            self._beat = now
            beat(self.paths, stage="probing")
            self.stopped = self.stopped or command_file.requested(self.paths) in STOPS

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **_: Any) -> torch.BoolTensor:
        self._prompt = self._prompt or input_ids.shape[1] - 1
        self.tokens = input_ids.shape[1] - self._prompt
        self.tick()
        self.late = self.tokens >= LEAST_TOKENS and time.monotonic() > self._ends
        over = self.late or self.stopped
        return torch.full((len(input_ids),), over, dtype=torch.bool, device=input_ids.device)
