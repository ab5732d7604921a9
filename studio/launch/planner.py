"""Plans and measures runs in child processes, so that the studio itself never loads torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import psutil

from studio.annotation import AnnotationStore
from studio.config import RunConfig
from studio.core.child_client import Message, PipeWorker
from studio.core.errors import StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.launch.run_preparation import prepare
from studio.runs.lr_range_result import Point, RangeResult, RateSpan
from studio.runs.run_plan import FoundBatch, Plan
from studio.training.planning.dry_step import Measured, measure

LOOK_SECONDS = 0.2
SETTLED_SECONDS = 4.0
ROOMY = 4 * 2**30
"""Free memory from which on a planner may wait for its first question; it takes about 0.8 GiB."""


@dataclass(frozen=True)
class Loading:
    """How far a starting child is: what it loads now, and seconds since it was started."""

    stage: str
    seconds: float


class Planner:
    """Answers what a run would do; the child starts with the first question, or with `warm`.

    Args:
        store: The open store, from which rows of the library are frozen; None: opened for it.
    """

    def __init__(self, workspace: Workspace, store: AnnotationStore | None = None) -> None:
        self._workspace, self._store = workspace, store
        self._child = PipeWorker(
            ["planner", "--workspace", str(workspace.root)], workspace.root / "planner.log"
        )
        self._trying = PipeWorker(
            ["planner", "--workspace", str(workspace.root)], workspace.root / "lr-range.log"
        )
        self._loaded = 0
        self._stage, self._started = "", 0.0
        self._starting = threading.Lock()
        self._measuring = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the child has loaded its libraries, so that a plan takes a moment only."""
        return self._loaded != 0 and self._loaded == self._child.pid

    @property
    def loading(self) -> Loading | None:
        """How far a child is that was started by `warm`; None when none is starting."""
        stage = self._stage
        return Loading(stage, time.monotonic() - self._started) if stage else None

    def warm(self) -> None:
        """Start the child ahead of the first question; does not wait for it."""
        with self._starting:
            if self._child.alive or self._stage:
                return
            self._stage, self._started = "Python", time.monotonic()
        threading.Thread(target=self._follow_start, name="planner-start", daemon=True).start()

    def warm_soon(self) -> None:
        """Start the child when the page has been served, where there is memory to spare for it."""
        timer = threading.Timer(SETTLED_SECONDS, self._warm_if_roomy)
        timer.daemon = True
        timer.start()

    def _warm_if_roomy(self) -> None:
        if psutil.virtual_memory().available >= ROOMY:
            self.warm()

    def _follow_start(self) -> None:
        try:
            with self._child.request({}) as reply:
                for message in reply:
                    self._stage = message.get("loading", self._stage)
            self._loaded = self._child.pid
        except StudioError as error:  # whoever asks next starts it again and is told
            log_told(error)
        finally:
            self._stage = ""

    def plan(self, config: RunConfig, gpu_gb: float | None = None) -> Plan:
        """Parameters, memory, steps and tokens of a run, here or on a GPU with `gpu_gb` GiB.

        Raises:
            InputError: It cannot be run; a `ConfigError` names every field at fault.
            RunFailedError: The planner died.
        """
        config = prepare(config, self._workspace, self._store)
        payload = {"config": config.model_dump(mode="json"), "gpu_gb": gpu_gb}
        found = Plan.from_json(self._child.call(payload)["plan"])
        self._loaded = self._child.pid
        return found

    def find_batch(
        self,
        config: RunConfig,
        gpu_gb: float | None = None,
        stopped: threading.Event | None = None,
    ) -> FoundBatch:
        """The most rows at once that there is room for; on this machine a dry step confirms it.

        Args:
            stopped: Ends the search when it is set.

        Raises:
            InputError: The run cannot start.
            RunFailedError: The planner or the process of the dry step died.
            StoppedError: `stopped` was set.
        """
        config = prepare(config, self._workspace, self._store)
        payload = {
            "config": config.model_dump(mode="json"),
            "gpu_gb": gpu_gb,
            "find_batch": True,
            "confirm": gpu_gb is None,
        }
        stopped = stopped or threading.Event()
        with self._one_at_a_time(stopped):
            return FoundBatch.from_json(self._stoppable(payload, stopped)["found"])

    def _stoppable(self, payload: Message, stopped: threading.Event) -> Message:
        with self._child.request(payload) as reply:

            def cancel() -> None:
                stopped.wait()
                self._child.cancel(reply.request_id)

            threading.Thread(target=cancel, name="planner-stop", daemon=True).start()
            try:
                *_, last = reply
            finally:
                stopped.set()
        return last

    def measure(self, config: RunConfig, stopped: threading.Event | None = None) -> Measured:
        """Peak and seconds of two real steps on the largest batch; one measurement at a time.

        Args:
            stopped: Ends the dry step when it is set.

        Raises:
            InputError: The run cannot start.
            RunFailedError: The process of the dry step died.
            StoppedError: `stopped` was set.
        """
        config = prepare(config, self._workspace, self._store)
        stopped = stopped or threading.Event()
        with self._one_at_a_time(stopped):
            return measure(config, self._workspace, stopped)

    @contextmanager
    def _one_at_a_time(self, stopped: threading.Event) -> Iterator[None]:
        while not self._measuring.acquire(timeout=LOOK_SECONDS):
            if stopped.is_set():
                raise StoppedError("Stopped while it waited for another measurement.")
        try:
            yield
        finally:
            self._measuring.release()

    def range_test(
        self, config: RunConfig, span: RateSpan | None = None
    ) -> Iterator[Point | RangeResult]:
        """Every step of a learning-rate range test, then what follows from them.

        It trains in a child of its own that ends with it; one test at a time.

        Raises:
            InputError: The run cannot start.
            RunFailedError: Memory ran out, the child died, or `stop_range_test` ended it.
        """
        config = prepare(config, self._workspace, self._store)
        values = {
            "config": config.model_dump(mode="json"),
            "lr_range": asdict(span or RateSpan()),
        }
        with self._measuring:
            try:
                with self._trying.request(values) as reply:
                    for message in reply:
                        if "point" in message:
                            yield Point(**message["point"])
                        else:
                            yield RangeResult.from_json(message["found"])
            finally:
                self._trying.close()

    def stop_range_test(self) -> None:
        """End a test under way; nothing of it is kept."""
        self._trying.close()

    def close(self) -> None:
        """End the children."""
        self._trying.close()
        self._child.close()
