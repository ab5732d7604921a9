"""One real step on the largest batch, in a process of its own so that its peak is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from studio.child import decode_error
from studio.config import RunConfig
from studio.errors import RunFailedError
from studio.paths import Workspace
from studio.runs.plan import Plan

RAN_OUT = "Memory ran out in the dry step."
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


def measure(config: RunConfig, workspace: Workspace) -> Measured:
    """Train two steps on the largest batch and forget them.

    Raises:
        InputError: The run cannot start.
        RunFailedError: The process died, for example because main memory ran out.
    """
    done = subprocess.run(
        [sys.executable, "-m", "studio", "dry-step", "--workspace", str(workspace.root)],
        input=json.dumps(config.model_dump(mode="json")),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunFailedError(
            f"The dry step ended without an answer (exit code {done.returncode}): {last}",
            remedy="If it was ended for lack of memory, lower the rows at once.",
            field="batch.per_device",
        )
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise decode_error(answer["error"])
    return Measured(answer["peak"], answer["seconds_per_step"])


def calibrated(plan: Plan, measured: Measured) -> Plan:
    """`plan` with its total put right by what was measured; the difference goes to activations."""
    plan = replace(plan, warnings=[text for text in plan.warnings if text != RAN_OUT])
    if measured.peak is None or plan.memory is None:
        return replace(plan, warnings=[RAN_OUT, *plan.warnings])
    memory = plan.memory
    activations = memory.activations + measured.peak - memory.total
    if activations < 0:
        memory = replace(memory, overhead=max(0, memory.overhead + activations))
    memory = replace(memory, activations=max(0, activations))
    return replace(
        plan,
        memory=memory,
        peak_measured=measured.peak,
        seconds_per_step=measured.seconds_per_step,
    )
