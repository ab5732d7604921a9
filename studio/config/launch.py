"""Where a run trains: this machine, accelerate, a Hugging Face job."""

from __future__ import annotations

import re

from pydantic import field_validator

from studio.config.setting import Section, setting


class LaunchConfig(Section):
    """Where the worker runs."""

    processes: int = setting(
        1,
        "Processes",
        "One per GPU. More than one train together (DDP); the effective batch stays the same.",
        effect="Time divides by it; each GPU holds the whole model.",
        trl="num_processes",
        ge=1,
        le=1024,
    )
    engine: str = setting(
        "local",
        "Engine",
        '"local": on this machine. "accelerate:<config file>": FSDP, DeepSpeed or several machines, '
        'as that file says. "hf-jobs:<flavor>": on Hugging Face Jobs, for example hf-jobs:a10g-small.',
        effect="Time and memory of that machine.",
    )
    timeout: str = setting(
        "6h",
        "Longest time",
        "A job elsewhere is ended after this time: a number with s, m, h or d.",
        effect="Cost of a forgotten job.",
    )
    secrets: list[str] = setting(
        ["HF_TOKEN"],
        "Secrets",
        "Names of environment variables of this machine that a job elsewhere is given as secrets; "
        "their values are never written down.",
        effect="What a job elsewhere may read and write.",
    )

    @field_validator("engine")
    @classmethod
    def _known(cls, engine: str) -> str:
        if not re.fullmatch(r"local|accelerate:.+|hf-jobs:[a-z0-9-]+", engine):
            raise ValueError(
                "give local, accelerate:<config file> or hf-jobs:<flavor>, like hf-jobs:a10g-small."
            )
        return engine

    @field_validator("timeout")
    @classmethod
    def _a_time(cls, timeout: str) -> str:
        if not re.fullmatch(r"[0-9]*[1-9][0-9]*[smhd]", timeout):
            raise ValueError("give a whole number with s, m, h or d, like 90m or 6h.")
        return timeout
