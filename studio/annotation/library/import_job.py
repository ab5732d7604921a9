"""Imports in the background: one at a time, watched by whoever looks, whatever tab is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from studio.annotation import AnnotationStore
from studio.annotation.library.import_report import ImportReport
from studio.annotation.library.row_differences import Decision
from studio.annotation.library.source_import import import_source
from studio.core.errors import BusyError, StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace

SETTLED_SECONDS = 2.0
State = Literal["idle", "reading", "done", "stopped", "failed"]


@dataclass(frozen=True)
class ImportStatus:
    """The import that runs or ran last.

    Attributes:
        number: Which import of this process it is; 0 before the first.
        read: Rows read so far; `total` is their number, when known.
        seconds: How long it has been reading.
        stopping: It was asked to stop and has not ended yet.
    """

    number: int = 0
    state: State = "idle"
    source: str = ""
    read: int = 0
    total: int | None = None
    report: ImportReport | None = None
    error: str = ""
    seconds: float = 0.0
    stopping: bool = False

    @property
    def seconds_left(self) -> float | None:
        """Seconds to go at the rate so far; None when that cannot be told."""
        if not self.total or not self.read or self.seconds < SETTLED_SECONDS:
            return None
        return self.seconds * max(0, self.total - self.read) / self.read


class MoreOptions(TypedDict, total=False):
    """What `import_source` may be told besides."""

    on_change: Decision
    images: Path | None
    use_saved: bool
    labels_as: Mapping[str, str] | None
    accounts: Collection[str]
    label: str
    by: str


class Importer:
    """Runs `import_source` in a thread of its own; an import cut off leaves nothing behind."""

    def __init__(
        self,
        workspace: Workspace,
        store: AnnotationStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace, self._store, self._clock = workspace, store, clock
        self._began = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._status = ImportStatus()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> ImportStatus:
        status = self._status
        stopping = status.state == "reading" and self._stopping.is_set()
        return replace(status, stopping=True) if stopping else status

    def start(
        self,
        spec: str,
        *,
        split: str | None = None,
        columns: Mapping[str, str] | None = None,
        limit: int | None = None,
        name: str | None = None,
        labels: bool = False,
        **more: Unpack[MoreOptions],
    ) -> ImportStatus:
        """Begin an import; see `import_source`. Raises BusyError while another one is reading."""
        with self._lock:
            if self._status.state == "reading":
                raise BusyError(
                    f"{self._status.source} is still being imported.",
                    remedy="Start this one when it is done.",
                )
            source = more.get("label") or spec
            self._status = ImportStatus(self._status.number + 1, "reading", source)
            self._stopping.clear()
            self._began = self._clock()
            options: dict[str, Any] = {"split": split, "columns": columns, "limit": limit}
            options |= {"name": name, "labels": labels, **more}
            self._thread = threading.Thread(
                target=self._run, args=(spec, options), name="import", daemon=True
            )
            self._thread.start()
            return self._status

    def stop(self) -> None:
        """Ask the import that runs to end; nothing of it stays."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> ImportStatus:
        """Wait until the running import has ended, or for `timeout` seconds; return its status."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._status

    def _run(self, spec: str, options: dict) -> None:
        try:
            report = import_source(
                spec, self._workspace, self._store, on_progress=self._progress, **options
            )
        except StoppedError as error:
            self._status = replace(self._status, state="stopped", error=str(error))
        except StudioError as error:
            log_told(error)
            self._status = replace(self._status, state="failed", error=error.in_words)
        else:
            self._status = replace(self._status, state="done", report=report)
        finally:
            if self._status.state == "reading":
                message = "The import broke off; nothing was added. The studio's log says why."
                self._status = replace(self._status, state="failed", error=message)

    def _progress(self, read: int, total: int | None) -> None:
        if self._stopping.is_set():
            raise StoppedError("The import was stopped.")
        seconds = self._clock() - self._began
        self._status = replace(self._status, read=read, total=total, seconds=seconds)
