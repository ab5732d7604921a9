"""The studio's log: where errors that people are told in a sentence go, faults with traceback."""

from __future__ import annotations

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from studio.errors import BusyError, ConflictError, InputError, StudioError

LOG_BYTES = 2_000_000
KEPT_FILES = 3
FORM = "%(asctime)s %(levelname)s %(name)s %(module)s:%(lineno)d %(message)s"
HIDDEN = "[hidden]"
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
logger = logging.getLogger("studio")


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
    logger.setLevel(logging.INFO)


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
    """Whether the studio refused by itself, and no other exception led to it.

    `raise … from None` says that the exception before it adds nothing to the sentence.
    """
    before = None if error.__suppress_context__ else error.__context__
    return isinstance(error, REFUSALS) and error.__cause__ is None and before is None


def discreet(text: str) -> str:
    """`text` with passwords, tokens and keys blotted out."""
    for secret in _SECRETS:
        text = secret.sub(HIDDEN, text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


class _Discreet(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return discreet(super().format(record))


class _OwnersFile(RotatingFileHandler):
    def __init__(self, file: Path) -> None:
        super().__init__(file, "a", LOG_BYTES, KEPT_FILES, encoding="utf-8", delay=True)

    def _open(self):  # type: ignore[no-untyped-def]
        def owners(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(
            self.baseFilename, self.mode, encoding=self.encoding, errors="replace", opener=owners
        )
