"""Why a worker died, told from the end of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from studio.paths import RunPaths

TAIL_BYTES = 64_000
LAST_LINES = 5
MOST_LINES = 12
LINE_LENGTH = 300
ATTEMPT_MARK = "==== attempt"
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Death:
    """What happened, what to do, and the log's lines that say so."""

    message: str
    remedy: str
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """One way to die, recognised by what libraries write when it happens."""

    pattern: str
    message: str
    remedy: str


CAUSES = (
    Cause(
        r"OutOfMemoryError|out of memory|Cannot allocate memory|std::bad_alloc|MemoryError",
        "Memory ran out",
        "Lower batch.per_device or model.image.longest_edge, or use model.quantization: nf4.",
    ),
    Cause(
        r"No space left on device|os error 28|Disk quota exceeded|PytorchStreamWriter failed writing",
        "The disk is full",
        "Free some space, then resume the run: its last complete checkpoint is intact.",
    ),
    Cause(
        r"ModuleNotFoundError|ImportError|undefined symbol|cannot open shared object file",
        "A package is missing or does not fit",
        "Run `python -m studio doctor`, then `pip install -r requirements.txt`.",
    ),
    Cause(
        r"CUDA error|CUDNN_STATUS|NCCL error|device-side assert|NVML",
        "The graphics card or its driver failed",
        "Resume the run; if it fails again, restart the machine and check the driver.",
    ),
    Cause(
        r"Fatal Python error|Segmentation fault|Illegal instruction|core dumped",
        "A library crashed",
        "Resume the run; if it crashes again, `python -m studio doctor` shows which versions there "
        "are: update the driver, torch or bitsandbytes.",
    ),
    Cause(
        r"Non-finite|(?:loss|gradient|grad_norm) (?:became|is) (?:nan|inf)",
        "The loss was no number any more",
        "Lower the learning rate or use bfloat16 or float32, then resume.",
    ),
    Cause(
        r"UnidentifiedImageError|ArrowInvalid|JSONDecodeError|DatasetGenerationError|DataError"
        r"|Number of images provided|image features? and image tokens do not match",
        "A row of the data could not be used",
        "Check the data (the Check panel of Data names the rows), then resume.",
    ),
    Cause(
        r"ConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|OfflineModeIsEnabled",
        "The hub could not be reached",
        "Check the network, or give a local folder as model.id; then resume.",
    ),
    Cause(
        r"PermissionError|Permission denied|Read-only file system",
        "A file could not be written",
        "Check who owns the workspace's folder, then resume.",
    ),
)
KILLED = "The worker was killed from outside, by a person or for want of memory"
KILLED_REMEDY = "Resume it to go on from its last complete checkpoint."
FATAL = "Fatal Python error"
TROUBLE = re.compile(r"\b\w*(?:Error|Exception|Interrupt)\b|^Killed$|[Ss]ignal \d+")


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
    """A cause the log names, else that it was killed; always with the log's own lines."""
    lines = _of_last_attempt([line.rstrip() for line in tail(paths) if line.strip()])
    words = relevant(lines)
    for text in ("\n".join(words), "\n".join(lines[-60:])):
        for cause in CAUSES:
            if re.search(cause.pattern, text):
                return Death(f"{cause.message}.", cause.remedy, words)
    if any(TRACEBACK in line for line in lines):
        return Death("The worker failed.", "The log has the details.", words)
    return Death(f"{KILLED}.", KILLED_REMEDY, words)


def relevant(lines: list[str]) -> list[str]:
    """The lines that tell what went wrong: the last traceback's end, else the last lines."""
    fatal = [index for index, line in enumerate(lines) if FATAL in line]
    if fatal:
        return _short(lines[fatal[-1] :][:MOST_LINES])
    starts = [index for index, line in enumerate(lines) if TRACEBACK in line]
    if not starts:
        return _short(lines[-LAST_LINES:])
    block = lines[starts[-1] + 1 :]
    ends = [index for index, line in enumerate(block) if TROUBLE.match(line)]
    end = ends[0] + 1 if ends else len(block)
    return _short([*block[max(0, end - 7) : end], *block[end : end + 3]])


def _short(lines: list[str]) -> list[str]:
    return [line.strip()[:LINE_LENGTH] for line in lines if line.strip()][-MOST_LINES:]


def _of_last_attempt(lines: list[str]) -> list[str]:
    starts = [index for index, line in enumerate(lines) if line.startswith(ATTEMPT_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines
