"""One real step on the largest batch, in a process of its own so that its peak is its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from studio.config import RunConfig
from studio.core.child_server import decode_error
from studio.core.errors import RunFailedError, StoppedError
from studio.core.paths import Workspace
from studio.runs.run_plan import Plan

RAN_OUT = "Memory ran out in the dry step."
LOOK_SECONDS = 0.2
KILLED = -9  # as the system ends what takes the last of main memory
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Measured:
    """What a dry step took.

    Attributes:
        peak: Most bytes while training: of the CUDA allocator plus its context, or resident
            memory on a CPU. None when memory ran out.
        seconds_per_step: Of one optimizer step.
    """

    peak: int | None
    seconds_per_step: float | None


def measure(
    config: RunConfig, workspace: Workspace, stopped: threading.Event | None = None
) -> Measured:
    """Train two steps on the largest batch and forget them.

    Args:
        stopped: Ends the dry step when it is set.

    Raises:
        InputError: The run cannot start.
        RunFailedError: The process died, or there is no room even for the weights.
        StoppedError: `stopped` was set.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", "dry-step", "--workspace", str(workspace.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        out, noise = _answer(process, config, stopped or threading.Event())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    code, lines = process.returncode, out.strip().splitlines()
    if code == KILLED:
        return Measured(None, None)
    if code or not lines:
        last = (noise.strip().splitlines() or ["no message"])[-1]
        raise RunFailedError(
            f"The dry step ended without an answer (exit code {code}): {last}",
            remedy="If it was ended for lack of memory, lower the rows at once.",
            field="batch.per_device",
        )
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise decode_error(answer["error"])
    return Measured(answer["peak"], answer["seconds_per_step"])


def _answer(
    process: subprocess.Popen[str], config: RunConfig, stopped: threading.Event
) -> tuple[str, str]:
    """What the process wrote; its standard output and standard error.

    Raises:
        StoppedError: Nobody wants it any more.
    """
    question: str | None = json.dumps(config.model_dump(mode="json"))
    while not stopped.is_set():
        try:
            return process.communicate(question, timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            question = None  # sent already
    raise StoppedError("The dry step was stopped; nothing was measured.")


def calibrated(plan: Plan, measured: Measured) -> Plan:
    """Return `plan` with its total corrected by what was measured.

    What is counted stays; activations and overhead share the difference by their sizes.
    """
    plan = replace(plan, warnings=[text for text in plan.warnings if text != RAN_OUT])
    if measured.peak is None or plan.memory is None:
        return replace(plan, warnings=[RAN_OUT, *plan.warnings])
    memory = plan.memory
    reckoned = memory.activations + memory.overhead
    rest = max(0, reckoned + measured.peak - memory.total)
    activations = round(rest * memory.activations / max(1, reckoned))
    return replace(
        plan,
        memory=replace(memory, activations=activations, overhead=rest - activations),
        peak_measured=measured.peak,
        total_planned=plan.total_planned or plan.memory.total,
        seconds_per_step=measured.seconds_per_step,
    )
