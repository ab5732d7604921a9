"""One model, several answers at a time: they take turns, token by token."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is handed on in the order of asking, so that nobody starves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._held = False

    @property
    def contended(self) -> bool:
        """Whether somebody waits for the holder."""
        return bool(self._waiting)

    def acquire(self) -> None:
        """Wait for the turn."""
        with self._lock:
            if not self._held:
                self._held = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()

    def release(self) -> None:
        """Hand the turn to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the turn for a block."""
        self.acquire()
        try:
            yield
        finally:
            self.release()
