"""The studio's log: where errors that people are told in a sentence go, faults with traceback."""

from __future__ import annotations

import binascii
import csv
import json
import logging
import os
import re
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yaml import YAMLError

from studio.core.errors import BusyError, ConflictError, InputError, StudioError

LOG_BYTES = 2_000_000
KEPT_FILES = 3
FORM = "%(asctime)s %(levelname)s %(name)s %(module)s:%(lineno)d %(message)s"
HIDDEN = "[hidden]"
LONGEST_LINE, LONGEST_RECORD = 1_000, 16_000
ODD_PER_MINUTE = 10
# What a secret looks like by itself, and what follows a name that secrets have.
_SECRETS = (
    re.compile(r"\bhf_[A-Za-z0-9]{8,}"),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
    re.compile(r"(?i)(?<=\bbearer )\S+"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=]{8,}"),
)
_NAMED = re.compile(
    r"(?i)([\"']?\b[\w-]*(?:passwor[dt]|passwd|secret|token|api[_-]?key|cookie|authorization)\b"
    r"[\"']?\s*[:=]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;)}\]]+)"
)
REFUSALS = (InputError, ConflictError, BusyError)
# How readers of what people give say that it is wrong: their traceback is of no fault.
JUDGEMENTS = (
    ValidationError, YAMLError, UnicodeError, json.JSONDecodeError, binascii.Error, csv.Error,
    zipfile.BadZipFile,
)  # fmt: skip
logger = logging.getLogger("studio")
# What people do whom nobody has let in, and events that no page sends: both can go on without end.
strangers = logging.getLogger("studio.strangers")
events = logging.getLogger("studio.events")
# The server tells here of requests that are none.
requests = logging.getLogger("uvicorn.error")
# The parser of uploads tells here of each malformed one.
multipart = logging.getLogger("python_multipart.multipart")


def configure(file: Path, *, to_stderr: bool = True) -> None:
    """Log to `file`, which only its owner reads, and warnings to standard error too.

    Configuring again replaces what was configured before.
    """
    root = logging.getLogger()
    for handler in [one for one in root.handlers if getattr(one, "of_studio", False)]:
        root.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [_OwnersFile(file)]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[-1].setLevel(logging.WARNING)
    for handler in handlers:
        handler.setFormatter(_Discreet(FORM))
        handler.of_studio = True  # type: ignore[attr-defined]
        root.addHandler(handler)
    if to_stderr:
        handlers[-1].setFormatter(_Brief(FORM))
    logger.setLevel(logging.INFO)
    for odd in (strangers, events, requests, multipart):
        for bound in [one for one in odd.filters if isinstance(one, Bounded)]:
            odd.removeFilter(bound)
        odd.addFilter(Bounded())


def log_told(error: BaseException) -> None:
    """Log an error that somebody is told in a sentence, at the place where that is done.

    What people can mend themselves (`StudioError`) is information, everything else an error. A
    refusal is no error of the studio's at all: one line without traceback, so that nobody who asks
    for what there is not can push real faults out of the log.
    """
    level = logging.INFO if isinstance(error, StudioError) else logging.ERROR
    traceback = None if _is_refusal(error) else error
    logger.log(level, "Told: %s", error, exc_info=traceback, stacklevel=2)


def _is_refusal(error: BaseException) -> bool:
    """Whether the studio refused by itself, and nothing led to it but that it looked at the input.

    `raise … from None` says that the exception before it adds nothing to the sentence.
    """
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return isinstance(error, REFUSALS) and (
        before is None or isinstance(before, JUDGEMENTS) or _is_refusal(before)
    )


def discreet(text: str) -> str:
    """Hide passwords, tokens and keys in `text`."""
    for secret in _SECRETS:
        text = secret.sub(HIDDEN, text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def shortened(text: str) -> str:
    """Shorten `text`: long lines lose their end, and a long record its middle."""
    lines = [_cut(line) for line in text[: 100 * LONGEST_RECORD].split("\n")]
    text = "\n".join(lines)
    if len(text) <= LONGEST_RECORD:
        return text
    half = LONGEST_RECORD // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters]\n{text[-half:]}"


def _cut(line: str) -> str:
    over = len(line) - LONGEST_LINE
    return line if over <= 0 else f"{line[:LONGEST_LINE]} [{over:,} more characters]"


class Bounded(logging.Filter):
    """Lets a few records a minute through of each place in the code.

    The first of a later minute says how many were not logged.
    """

    def __init__(
        self, most: int = ODD_PER_MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.most, self.clock = most, clock
        self._begun: dict[tuple[str, int], tuple[float, int]] = {}  # and how many since
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        source = (record.pathname, record.lineno)
        with self._lock:
            now, left_out = self.clock(), 0
            begun, count = self._begun.get(source, (now, 0))
            if now - begun >= 60:
                begun, count, left_out = now, 0, max(0, count - self.most)
            self._begun[source] = (begun, count + 1)
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out:,} more before were not logged)"
            record.args = ()
        return count < self.most


class _Discreet(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return discreet(shortened(super().format(record)))


class _Brief(_Discreet):
    """For standard error, which nothing rotates: events that failed without their traceback."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name != events.name or not record.exc_info:
            return super().format(record)
        brief = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        return f"{super().format(brief)}; the traceback is in studio.log"


class _OwnersFile(RotatingFileHandler):
    def __init__(self, file: Path) -> None:
        super().__init__(file, "a", LOG_BYTES, KEPT_FILES, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        def owners(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        file: Any = open(  # noqa: SIM115 - the handler closes it
            self.baseFilename, self.mode, encoding=self.encoding, errors="replace", opener=owners
        )
        return file
