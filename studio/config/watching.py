"""Where a run goes, and what it is asked on the way."""

from __future__ import annotations

from studio.config.base import Section, setting


class ProbeConfig(Section):
    """Fixed questions, answered before training and while it goes on."""

    count: int = setting(
        3,
        "Probes",
        "Rows (of the evaluation split, else of the training rows) whose questions the model "
        "answers before training and while it learns. 0: none.",
        ge=0,
        le=32,
    )
    every: int | None = setting(
        None,
        "Probe every (steps)",
        "How often the probes are answered. Empty: four times over the run, or at the end of a short one.",
        ge=1,
    )
    max_new_tokens: int = setting(
        64, "Longest probe answer (tokens)", "Answers are cut here.", ge=1, le=2048
    )
    forgetting: str | None = setting(
        "auto",
        "Forgetting is measured on",
        "Rows unlike the training rows, scored before and after to see what was forgotten: a data "
        'source, or "auto" (embedded samples). Empty: not measured.',
    )


class LaunchConfig(Section):
    """Where the worker runs."""

    processes: int = setting(
        1,
        "Processes",
        "One per GPU. More than one train together (DDP); the effective batch stays the same.",
        ge=1,
        le=1024,
    )
    engine: str = setting(
        "local",
        "Engine",
        '"local": on this machine. "accelerate:<config file>": FSDP, DeepSpeed or several machines, '
        'as that file says. "hf-jobs:<flavor>": on Hugging Face Jobs, for example hf-jobs:a10g-small.',
        pattern=r"^(local|accelerate:.+|hf-jobs:[a-z0-9-]+)$",
    )
    timeout: str = setting(
        "6h",
        "Longest time",
        "A job elsewhere is ended after this time: a number with s, m, h or d.",
        pattern=r"^\d+[smhd]$",
    )
    secrets: list[str] = setting(
        ["HF_TOKEN"],
        "Secrets",
        "Names of environment variables of this machine that a job elsewhere is given as secrets; "
        "their values are never written down.",
    )
