"""The shell script that a job elsewhere runs: train, and hand over the weights as they come."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from studio.launch.training_script import pinned

EVERY = 600
WEIGHTS = "*.safetensors"
WANTED = (WEIGHTS, "*.json", "*.jinja", "*.txt", "*.model")
"""What is handed over: weights and what goes with them. No model card: the hub refuses one that
names a folder as its base model."""

NEWEST = (  # the trainer writes trainer_state.json last
    "ls -t out/checkpoint-*/trainer_state.json 2>/dev/null | head -n 1 | xargs -r dirname"
)
SHELL = """\
#!/bin/bash
# Trains, and uploads the newest checkpoint's weights now and then, so that a job that is
# cancelled or runs out of time leaves them behind. The whole folder goes up at the end.
set -m
cd "$(mktemp -d)"

upload() {{
    {upload}
}}

newest() {{
    {newest}
}}

(
    while sleep {every}; do
        folder=$(newest)
        [ -z "$folder" ] || [ "$folder" = "$last" ] || {{ upload "$folder" && last=$folder; }}
    done
) &
uploads=$!

{train}
code=$?
kill -- -$uploads
wait $uploads 2>/dev/null
if [ $code -eq 0 ]; then
    upload out/adapter
    exit
fi
folder=$(newest)
[ -z "$folder" ] || upload "$folder"
exit $code
"""


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
    return SHELL.format(
        upload=f'{shlex.join(upload)} "$1" .',
        train=shlex.join(["uv", "run", *needs, *python, script]),
        newest=NEWEST if checkpoints else "true",
        every=EVERY,
    )
