"""A long-living child process that answers requests over JSON lines (`studio.core.child_server.serve`).

The child is started by the first request and again after it died or was closed. It leads a
process group of its own, is killed with that group when the studio ends, and ends by itself
when its standard input closes, should the studio be killed.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.core.child_server import decode_error
from studio.core.errors import RunFailedError

Message = dict[str, Any]
logger = logging.getLogger(__name__)
_Messages = queue.SimpleQueue[Message | None]
STUDIO = (sys.executable, "-m", "studio")
PROJECT = Path(__file__).resolve().parent.parent.parent
LOG_LIMIT = 2_000_000
LAST_LINES = 4
CLOSE_SECONDS = 2.0
HEAR_SECONDS = 20.0
"""A child that has not heard a cancel after so long is stuck for good, and is killed."""


class Reply(Iterator[Message]):
    """The messages of one request, as they come; closing it early cancels the request."""

    def __init__(self, child: _Child, request_id: int, messages: _Messages) -> None:
        self.request_id = request_id
        self._child = child
        self._messages = messages
        self._ended = False

    def __next__(self) -> Message:
        """The next message.

        Raises:
            StudioError: What the request failed with, of the class it was raised as.
            RunFailedError: The child died; its last words are in the message.
        """
        if self._ended:
            raise StopIteration
        message = self._messages.get()
        if self._ended:
            raise StopIteration
        self._ended = message is None or bool(message.get("done")) or "error" in message
        if self._ended:
            self._child.forget(self.request_id)
        if message is None:
            raise self._child.death()
        if "error" in message:
            raise decode_error(message["error"])
        return message

    def cancel_part(self, part: int) -> None:
        """Tell the child that one part is not wanted; the others go on."""
        if not self._ended:
            self._child.cancel(self.request_id, part)

    def close(self) -> None:
        """Stop listening; tell the child that the rest is not wanted."""
        if not self._ended:
            self._ended = True
            self._child.cancel(self.request_id)
            self._child.forget(self.request_id)
            self._messages.put(None)

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PipeWorker:
    """Requests to a child; safe to use from several threads at once.

    Args:
        arguments: What follows `python -m studio`.
        log: File that receives the child's standard error, started anew when it has grown.
        command: Started instead of `python -m studio`.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, *, command: Sequence[str] = STUDIO
    ) -> None:
        self.log = log
        self._command = [*command, *arguments]
        self._lock = threading.Lock()
        self._child: _Child | None = None

    @property
    def alive(self) -> bool:
        """Whether the child exists now."""
        child = self._child
        return child is not None and child.alive

    @property
    def pid(self) -> int:
        """Process id of the child, 0 when there is none."""
        child = self._child
        return child.process.pid if child is not None and child.alive else 0

    def request(self, payload: Message) -> Reply:
        """Send `payload`; iterate over the reply's messages, the last has `done`."""
        with self._lock:
            if self._child is None or not self._child.alive:
                self._child = _Child(self._command, self.log)
            child = self._child
        return child.send(payload)

    def call(self, payload: Message) -> Message:
        """Send `payload` and wait for the last message."""
        with self.request(payload) as reply:
            *_, last = reply
        return last

    def cancel(self, request_id: int) -> None:
        """Ask the child to end a request early; its last message still comes."""
        child = self._child
        if child is not None:
            child.cancel(request_id)

    def close(self) -> None:
        """End the child and all it started; requests under way fail."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()


class _Child:
    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.unlink()
        self._log_start = log.stat().st_size if log.exists() else 0
        self._write_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._replies: dict[int, _Messages] = {}
        self._unheard: dict[int, threading.Timer] = {}
        self._spoke = False
        self._stuck = False
        self._last_id = 0
        self._closed = False
        self._ended = False
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
            )
        if self.process.stdin is None or self.process.stdout is None:
            raise RunFailedError("The child process has no pipes.")
        self._input, self._output = self.process.stdin, self.process.stdout
        self._kill_at_exit = weakref.finalize(self, _kill, self.process)
        threading.Thread(target=self._read, name=f"pipe-{self.process.pid}", daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.poll() is None

    def send(self, payload: Message) -> Reply:
        messages: _Messages = queue.SimpleQueue()
        with self._state_lock:
            self._last_id += 1
            request_id = self._last_id
            self._replies[request_id] = messages
            if self._ended:
                messages.put(None)
        self._write({"id": request_id, "payload": payload})
        return Reply(self, request_id, messages)

    def cancel(self, request_id: int, part: int | None = None) -> None:
        if request_id not in self._replies or not self.alive:
            return
        if part is not None:
            self._write({"cancel": request_id, "part": part})
            return
        if self._spoke:  # while it still starts it cannot answer, and is not killed for that
            timer = threading.Timer(HEAR_SECONDS, self._give_up)
            timer.daemon = True
            self._unheard[request_id] = timer
            timer.start()
        self._write({"cancel": request_id})

    def _give_up(self) -> None:
        logger.warning("%s does not hear that it should stop; it is killed.", self.process.args)
        self._stuck = True
        self._kill_at_exit()

    def forget(self, request_id: int) -> None:
        self._replies.pop(request_id, None)

    def close(self) -> None:
        self._closed = True
        if self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired, BrokenPipeError):
                self._input.close()
                self.process.wait(CLOSE_SECONDS)
        self._kill_at_exit()

    def _write(self, line: Message) -> None:
        try:
            with self._write_lock:
                self._input.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._input.flush()
        except (BrokenPipeError, ValueError):
            pass  # the child is gone; the reading thread tells whoever waits

    def _read(self) -> None:
        with self.log.open("a", encoding="utf-8") as noise:
            for line in self._output:
                message = _parse(line)
                if message is None:
                    noise.write(line)
                    noise.flush()
                    continue
                self._spoke = True
                if message["id"] == 0:
                    if timer := self._unheard.pop(message.get("heard", 0), None):
                        timer.cancel()
                elif (messages := self._replies.get(message.pop("id"))) is not None:
                    messages.put(message)
        self.process.wait()
        with self._state_lock:
            self._ended = True
            for timer in self._unheard.values():
                timer.cancel()
            for messages in self._replies.values():
                messages.put(None)

    def death(self) -> RunFailedError:
        if self._stuck:
            return RunFailedError(
                "The process did not hear that it should stop, and was ended.",
                remedy="Ask again to start it anew; something the model brings may loop for ever.",
            )
        if self._closed:
            return RunFailedError("The process was closed.", remedy="Ask again to start it anew.")
        code = self.process.poll()
        why = f"exit code {code}"
        if code is not None and code < 0:
            why = f"killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            why += ", often because memory ran out"
        words = self._last_words()
        told = f" Its last words: {words}" if words else ""
        return RunFailedError(
            f"The process ended unexpectedly ({why}).{told}",
            remedy=f"Ask again to start it anew; its log is {self.log}.",
        )

    def _last_words(self) -> str:
        with self.log.open("rb") as handle:
            handle.seek(max(self._log_start, handle.seek(0, os.SEEK_END) - 4096))
            lines = handle.read().decode("utf-8", "replace").splitlines()
        return " / ".join([line.strip() for line in lines if line.strip()][-LAST_LINES:])


def _parse(line: str) -> Message | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "id" in message else None


def _environment() -> dict[str, str]:
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *([known] if known else [])]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def _kill(process: subprocess.Popen) -> None:
    if process.poll() is not None:
        return  # reaped: its number may belong to somebody else by now
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
