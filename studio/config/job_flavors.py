"""What a flavor of Hugging Face Jobs has, and what bars a run from it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio.config.run import RunConfig
from studio.core.errors import FieldProblem

JOBS_ENGINE = "hf-jobs:"
GPUS = {
    "t4": 16, "l40s": 48, "l4": 24, "a10g": 24, "a100": 80, "h100": 80, "h200": 141,
    "rtx-pro-6000": 96,
}  # fmt: skip
"""GB of the GPUs that flavors of Hugging Face Jobs are named after; the first that fits counts."""


def job_problems(config: RunConfig) -> Iterator[FieldProblem]:
    """Say why a run cannot go as a job of its flavor; nothing for other engines."""
    if not sent_elsewhere(config):
        return
    flavor, processes = flavor_of(config.launch.engine), config.launch.processes
    gpus = gpus_of(flavor)
    if config.batch.largest:
        yield FieldProblem(
            "batch.largest",
            "A job trains as a script with the rows at once that it is given.",
            "Switch it off; `plan --find-batch` finds the most that the flavor has room for.",
        )
    if processes > gpus:
        yield FieldProblem(
            "launch.processes",
            f"The flavor {flavor} has {gpus} GPU{'s' if gpus > 1 else ''}, and {processes} "
            "processes need one each.",
            f"Set it to {gpus}, or choose a larger flavor.",
        )


def job_cautions(config: RunConfig) -> Iterator[str]:
    """Say what works on the flavor but is probably not meant; nothing for other engines."""
    if not sent_elsewhere(config):
        return
    flavor = flavor_of(config.launch.engine)
    gpus = gpus_of(flavor)
    if gpus > config.launch.processes:
        yield (
            f"The flavor {flavor} has {gpus} GPUs, of which this uses "
            f"{config.launch.processes}: set launch.processes to {gpus}."
        )
    if gpu_memory(flavor) is None:
        yield (
            f"How much memory the flavor {flavor} has is not known here, so it is not known "
            "either whether the run has room."
        )


def sent_elsewhere(config: RunConfig) -> bool:
    """Return whether the run leaves this machine, as a job."""
    return config.launch.engine.startswith(JOBS_ENGINE)


def flavor_of(engine: str) -> str:
    """Return the flavor in `hf-jobs:<flavor>`."""
    return engine.removeprefix(JOBS_ENGINE)


def gpu_memory(flavor: str) -> int | None:
    """Return GB of each GPU of a flavor; None without a GPU, and for unknown flavors."""
    return next((GPUS[name] for name in GPUS if flavor.startswith(name)), None)


def gpus_of(flavor: str) -> int:
    """Count the GPUs of a flavor of Hugging Face Jobs by its name (`a10g-largex4`); else 1."""
    count = re.search(r"x(\d+)$", flavor)
    return int(count.group(1)) if count else 1
