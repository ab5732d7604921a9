"""Why a worker died, told from the end of its log."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from studio.core.paths import RunPaths
from studio.runs.checkpoints import latest_checkpoint
from studio.runs.status import read_status

TAIL_BYTES = 64_000
LAST_LINES = 5
MOST_LINES = 12
LINE_LENGTH = 300
ATTEMPT_MARK = "==== attempt"
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Death:
    """What happened, what to do, and the log's lines that say so.

    Attributes:
        kind: `memory` where that ran out; what it was otherwise is in the message.
        field: The setting that most likely is at fault, when one is.
    """

    message: str
    remedy: str
    lines: list[str] = field(default_factory=list)
    kind: str = ""
    field: str = ""


@dataclass(frozen=True)
class Cause:
    """One way to die, recognised by what libraries write when it happens.

    Attributes:
        full_disk: Whether the words mean it only where the disk has no room left.
    """

    pattern: str
    message: str
    remedy: str
    kind: str = ""
    field: str = ""
    full_disk: bool = False


MEMORY = "memory"
LESS_MEMORY = (
    "Clone it into Train with fewer rows at once, smaller images (model.image.longest_edge) or "
    "model.quantization: nf4; with batch.on_oom: shrink a run takes fewer rows by itself."
)
FULL_DISK = "The disk is full"
FREE_SPACE = "Free some space, then resume the run: its last complete checkpoint is intact."
FULL = 64 * 2**20
"""Free bytes below which a write that failed is believed to have failed for want of room."""
NOTHING_LEFT = 2**20
"""Free bytes below which a worker cannot even write down why it died."""
# torch says so of every write that fails, whatever the reason; so does numpy.
UNWRITTEN = (
    r"iostream error|inline_container\.cc:\d+\] \. (?:unexpected pos|fail)"
    r"|\d+ requested and \d+ written|Input/output error|os error 5\b"
)
CAUSES = (
    Cause(
        r"OutOfMemoryError|out of memory|[Cc]an(?:not|'t) allocate memory|std::bad_alloc"
        r"|MemoryError|(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED|killed by signal: Killed",
        "Memory ran out",
        LESS_MEMORY,
        MEMORY,
        "batch.per_device",
    ),
    Cause(
        r"No space left on device|os error 28|Disk quota exceeded|PytorchStreamWriter failed writing",
        FULL_DISK,
        FREE_SPACE,
    ),
    Cause(UNWRITTEN, FULL_DISK, FREE_SPACE, full_disk=True),
    Cause(
        rf"{UNWRITTEN}|File too large|os error 27\b",
        "A file could not be written whole",
        "See that the workspace's disk has room and no limit (`quota`, `ulimit -f`) is reached, "
        "then resume the run: its last complete checkpoint is intact.",
    ),
    Cause(
        r"ModuleNotFoundError|ImportError|undefined symbol|cannot open shared object file",
        "A package is missing or does not fit",
        "Run `python -m studio doctor`, then `pip install -r requirements.txt`, and resume.",
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
        "Clone it into Train and lower the learning rate, or train in bfloat16 or float32; its last "
        "complete checkpoint is kept.",
        field="optimizer.learning_rate",
    ),
    Cause(
        r"UnidentifiedImageError|ArrowInvalid|JSONDecodeError|DatasetGenerationError|DataError"
        r"|Number of images provided|image features? and image tokens do not match",
        "A row of the data could not be used",
        "The Check panel of Data names the rows. Mend or leave them out, then clone the run.",
        field="data.source",
    ),
    Cause(
        r"ConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|OfflineModeIsEnabled"
        r"|LocalEntryNotFoundError|Temporary failure in name resolution",
        "The hub could not be reached",
        "Check the network, then resume; or clone the run with a local folder as model.id.",
    ),
    Cause(
        r"PermissionError|Permission denied|Read-only file system",
        "A file could not be written",
        "Check who owns the workspace's folder, then resume.",
    ),
    Cause(
        r"Address already in use|EADDRINUSE",
        "The port over which the processes talk is taken",
        "End the run that holds it, or name another main_process_port, then resume.",
    ),
)
KILLED = "The worker was killed from outside, by a person or for want of memory"
KILLED_REMEDY = "Resume it to go on from its last complete checkpoint."
KILLED_EARLY = "It left no checkpoint yet; start it again."
RESTARTED = "The machine was restarted while the run was going on"
STARVED = "The system ended the worker because the machine's memory ran out"
FATAL = "Fatal Python error"
TROUBLE = re.compile(r"[\w.]*(?:Error|Exception|Interrupt)\b|Killed$|[Ss]ignal \d+")
METRICS = re.compile(r"\s*\{'[\w/]+': ")  # what the trainer prints at each step tells of no death
AGENT = "torch/distributed/elastic"
RANK = re.compile(r"^\[rank\d+\]:\s?")
# What the launcher of several processes says, and those that were waiting for the one that failed.
ECHO = re.compile(
    r"ChildFailedError|CalledProcessError|torch\.distributed\.elastic|remote worker crashing"
    r"|Connection (?:closed|reset) by peer|ncclRemoteError|Some NCCL operations have failed"
)


def tail(paths: RunPaths, lines: int = 200) -> list[str]:
    """Return the last lines of the run's log, oldest first."""
    try:
        with paths.log.open("rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - TAIL_BYTES))
            text = handle.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.replace("\r", "\n").splitlines()[-lines:]


def explain_death(paths: RunPaths) -> Death:
    """Return a cause the log names, else what the system tells; always with the log's own lines."""
    lines = _of_last_attempt([line.rstrip() for line in tail(paths) if line.strip()])
    words, free = relevant(lines), free_space(paths)
    for text in ("\n".join(words), "\n".join(lines[-60:])):
        for cause in CAUSES:
            fits = not cause.full_disk or free < FULL
            if fits and re.search(cause.pattern, text):
                return Death(f"{cause.message}.", cause.remedy, words, cause.kind, cause.field)
    if free < NOTHING_LEFT:
        return Death(f"{FULL_DISK}.", FREE_SPACE, words)
    if any(TRACEBACK in line for line in lines):
        return Death("The worker failed.", "The log has the details.", words)
    status = read_status(paths)
    again = KILLED_REMEDY if latest_checkpoint(paths) else KILLED_EARLY
    if 0 < status.updated < psutil.boot_time():
        return Death(f"{RESTARTED}.", again, words)
    if 0 <= status.oom_kills < oom_kills():
        return Death(f"{STARVED}.", LESS_MEMORY, words, MEMORY, "batch.per_device")
    return Death(f"{KILLED}.", again, words)


def free_space(paths: RunPaths) -> int:
    """Free bytes on the disk of the run's folder."""
    return shutil.disk_usage(paths.root).free


def oom_kills() -> int:
    """Count the processes that this machine ended because memory ran out; -1 where it does not say.

    Linux counts them since it started (`oom_kill` in /proc/vmstat, since 4.13).
    """
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), -1)


def relevant(lines: list[str]) -> list[str]:
    """Return the lines that tell what went wrong: the end of a traceback, else the last lines.

    Of several tracebacks the last one is meant; of several processes not one of the launcher, or of
    those that only lost the one that failed, unless there is no other.
    """
    lines = [RANK.sub("", line) for line in lines]
    lines = [line for line in lines if line.strip(" ^~") and AGENT not in line]
    fatal = [index for index, line in enumerate(lines) if FATAL in line]
    if fatal:
        return _short(lines[fatal[-1] :][:MOST_LINES])
    starts = [index for index, line in enumerate(lines) if TRACEBACK in line]
    if not starts:
        return _short([line for line in lines if not METRICS.match(line)][-LAST_LINES:])
    blocks = [lines[start + 1 : end] for start, end in pairwise([*starts, len(lines)])]
    own = [block for block in blocks if not any(map(ECHO.search, block))]
    block = (own or blocks)[-1]
    ends = [index for index, line in enumerate(block) if TROUBLE.match(line)]
    end = ends[0] + 1 if ends else len(block)
    return _short([*block[:end][-7:], *block[end : end + 3]])


def _short(lines: list[str]) -> list[str]:
    return [line.strip()[:LINE_LENGTH] for line in lines if line.strip()][-MOST_LINES:]


def _of_last_attempt(lines: list[str]) -> list[str]:
    starts = [index for index, line in enumerate(lines) if line.startswith(ATTEMPT_MARK)]
    return lines[starts[-1] + 1 :] if starts else lines
