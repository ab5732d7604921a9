"""Checks of the library's datasets: run in a child with the model's processor, kept on disk."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker, Reply
from studio.core.errors import BusyError, StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace, read_json, write_json
from studio.preflight.report import Report

State = Literal["idle", "checking", "done", "stopped", "failed"]
SETTLED_SECONDS = 2.0
KEPT_VERSION = 1


@dataclass(frozen=True)
class CheckStatus:
    """The check that runs or ran last.

    Attributes:
        number: Which check of this process it is; 0 before the first.
        stage: `model` is being opened, `rows` are read, or `images` put through the processor.
        seconds: How long this stage has taken.
    """

    number: int = 0
    state: State = "idle"
    dataset: str = ""
    stage: str = ""
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Seconds to go at the rate so far; None when that cannot be told."""
        if not self.total or not self.done or self.seconds < SETTLED_SECONDS:
            return None
        return self.seconds * max(0, self.total - self.done) / self.done


@dataclass(frozen=True)
class Kept:
    """A report on disk, with when it was made (seconds since the epoch) and for which model."""

    report: Report
    checked_at: float
    model: ModelConfig


@dataclass(frozen=True)
class ShownImage:
    """An image as the model gets it; pictures are `data:` addresses (see `preflight.model_view`).

    Attributes:
        tokens: What it becomes when it is the only image of its row.
        original: Width and height of the image itself, upright.
    """

    tokens: int
    original: tuple[int, int]
    tiles: int
    width: int
    height: int
    picture: str
    overview: str | None


class Checker:
    """One check at a time, whatever tab is closed; the last report of each dataset is kept."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        child: PipeWorker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._child = child or PipeWorker(
            ["checker", "--workspace", str(workspace.root)], workspace.root / "checker.log"
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._status = CheckStatus()
        self._stage_began = 0.0
        self._reply: Reply | None = None
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> CheckStatus:
        status = self._status
        if status.state != "checking":
            return status
        return replace(status, seconds=self._clock() - self._stage_began)

    def start(self, dataset: str, model: ModelConfig, max_length: int | None = None) -> CheckStatus:
        """Begin to check a dataset. Raises BusyError while another check runs."""
        payload = {
            "dataset": dataset,
            "model": model.model_dump(mode="json"),
            "max_length": max_length,
        }
        with self._lock:
            if self._status.state == "checking":
                raise BusyError(
                    f"{self._status.dataset} is still being checked.",
                    remedy="Wait for it, or stop it first.",
                )
            self._stage_began = self._clock()
            self._status = CheckStatus(self._status.number + 1, "checking", dataset, "model")
            self._reply = self._child.request(payload)
            self._thread = threading.Thread(
                target=self._run, args=(self._reply, payload), name="check", daemon=True
            )
            self._thread.start()
            return self._status

    def stop(self) -> None:
        """Ask the check that runs to end."""
        reply = self._reply
        if reply is not None:
            self._child.cancel(reply.request_id)

    def wait(self, timeout: float | None = None) -> CheckStatus:
        """Return the status once the check that runs has ended, or after `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.status

    def kept(self, dataset: str) -> Kept | None:
        """Return the last report of a dataset, if there is one."""
        return kept_report(self._workspace, dataset)

    def show(self, image: str, model: ModelConfig) -> ShownImage:
        """Return one image of the store (sha256) as the model gets it.

        Raises:
            ModelError: The processor refuses it.
            RunFailedError: The child died.
        """
        payload = {"image": image, "model": model.model_dump(mode="json")}
        answer = self._child.call(payload)
        values = {field.name: answer[field.name] for field in fields(ShownImage)}
        return ShownImage(**{**values, "original": tuple(values["original"])})

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _run(self, reply: Reply, asked: dict[str, Any]) -> None:
        try:
            for message in reply:
                self._take(message, asked)
        except StoppedError:
            self._status = replace(self._status, state="stopped")
        except StudioError as error:
            log_told(error)
            self._status = replace(self._status, state="failed", error=str(error))
        except OSError as error:
            log_told(error)
            said = f"The report cannot be kept: {error.strerror or error}."
            self._status = replace(self._status, state="failed", error=said)
        finally:
            if self._status.state == "checking":
                said = "The check broke off; the studio's log says why."
                self._status = replace(self._status, state="failed", error=said)

    def _take(self, message: dict[str, Any], asked: dict[str, Any]) -> None:
        if "report" in message:
            kept = {
                "version": KEPT_VERSION,
                "dataset": asked["dataset"],
                "model": asked["model"],
                "checked_at": time.time(),
                "report": message["report"],
            }
            write_json(_path(self._workspace, asked["dataset"]), kept)
            self._status = replace(self._status, state="done")
        elif "step" in message:
            step = message["step"]
            if step["stage"] != self._status.stage:
                self._stage_began = self._clock()
            self._status = replace(self._status, **step)


def kept_report(workspace: Workspace, dataset: str) -> Kept | None:
    """Return the last report of a dataset of the library, if there is one."""
    values = read_json(_path(workspace, dataset))
    if values is None or values.get("version") != KEPT_VERSION:
        return None
    report = Report.from_json(values["report"])
    model = ModelConfig.model_validate(values.get("model") or {"id": report.model})
    return Kept(report, values["checked_at"], model)


def _path(workspace: Workspace, dataset: str) -> Path:
    name = hashlib.sha256(dataset.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return workspace.checks / f"{name}.json"
