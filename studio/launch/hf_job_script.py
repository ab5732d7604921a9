"""The shell script that a job elsewhere runs: train, and hand over the weights as they come."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from studio.launch.script_templates import fill
from studio.launch.training_script import pinned

EVERY = 600
WEIGHTS = "*.safetensors"
WANTED = (WEIGHTS, "*.json", "*.jinja", "*.txt", "*.model")
"""What is handed over: weights and what goes with them. No model card: the hub refuses one that
names a folder as its base model."""


def job_script(
    script: str, packages: Sequence[str], processes: int, output: str, checkpoints: bool
) -> str:
    """Bash source.

    Args:
        script: Path of the run's script where the job runs.
        packages: What it needs, pinned.
        output: Model repository that the weights go to; it is there already.
        checkpoints: Whether weights from the middle of the run can be used as they are.
    """
    python = ["python"]
    if processes > 1:
        python = ["accelerate", "launch", "--multi_gpu", "--num_processes", str(processes)]
        python += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    needs = [option for name in packages for option in ("--with", name)]
    kinds = [option for kind in WANTED for option in ("--include", kind)]
    upload = ["uv", "run", "--with", pinned("huggingface_hub"), "hf", "upload", "--private"]
    upload += [*kinds, output]
    return fill(
        "hf_job.sh.j2",
        upload=shlex.join(upload),
        train=shlex.join(["uv", "run", *needs, *python, script]),
        checkpoints=checkpoints,
        every=EVERY,
    )
