"""Why a worker died, told from the end of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.paths import RunPaths

TAIL_BYTES = 64_000
LAST_LINES = 5
ATTEMPT_MARK = "==== attempt"


@dataclass(frozen=True)
class Death:
    """What happened and what to do."""

    message: str
    remedy: str


CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"OutOfMemoryError|out of memory|Cannot allocate memory",
        "Memory ran out",
        "Lower batch.per_device or model.image.longest_edge, or use model.quantization: nf4.",
    ),
    (r"No space left on device", "The disk is full", "Free some space, then resume the run."),
    (
        r"ModuleNotFoundError|ImportError",
        "A package is missing or does not fit",
        "Run `python -m studio doctor`, then `pip install -r requirements.txt`.",
    ),
)
KILLED = "The worker was killed from outside, by a person or for want of memory"
KILLED_REMEDY = "Resume it to go on from its last complete checkpoint."


def tail(paths: RunPaths, lines: int = 200) -> list[str]:
    """The last lines of the run's log, oldest first."""
    try:
        with paths.log.open("rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - TAIL_BYTES))
            text = handle.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.replace("\r", "\n").splitlines()[-lines:]


def explain_death(paths: RunPaths) -> Death:
    """A cause the log names, else that it was killed; always with the last words."""
    lines = _of_last_attempt([line.strip() for line in tail(paths) if line.strip()])
    text = "\n".join(lines[-60:])
    last = " / ".join(lines[-LAST_LINES:])[-600:]
    words = f" Last words: {last}" if last else ""
    for pattern, message, remedy in CAUSES:
        if re.search(pattern, text):
            return Death(f"{message}.{words}", remedy)
    if "Traceback (most recent call last)" in text:
        return Death(f"The worker failed.{words}", "The log has the details.")
    return Death(f"{KILLED}.{words}", KILLED_REMEDY)


def _of_last_attempt(lines: list[str]) -> list[str]:
    starts = [index for index, line in enumerate(lines) if line.startswith(ATTEMPT_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines
