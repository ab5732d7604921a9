"""A run of three steps, as tests of launching start it."""

from __future__ import annotations

from studio.config import run_file
from studio.config.speed import SAVINGS

OFF = dict.fromkeys(SAVINGS, "off")
SMALL = {
    "name": "small",
    "adapter": {"rank": 4},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:12]"},
    "optimizer": {"learning_rate": 2e-3},
    "schedule": {"max_steps": 3, "save_every": 100},
    "probes": {"count": 0, "forgetting": None},
    "speed": OFF,
}


def config(**launch):
    """The settings of the run, with these of `launch`."""
    return run_file.parse({**SMALL, "launch": launch})
