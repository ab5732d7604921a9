"""One of several processes that execute runs one after the other: `python several_runs.py RUN_DIR…`.

Of a folder given as `fsdp:RUN_DIR` the weights are spread over the processes, as are those of all
after it. Torch shards on a CPU as it does on GPUs, but accelerate switches FSDP on for process
groups of GPUs only, so it is told that it has such a group.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from accelerate.state import AcceleratorState, DistributedType, PartialState

from studio.training.worker import main

FSDP = "fsdp:"
SETTINGS = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
begin = PartialState.__init__


def begin_as_gpus(self: PartialState, *arguments, **options) -> None:
    begin(self, *arguments, **options)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def spread_weights() -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    PartialState.__init__ = begin_as_gpus
    os.environ.update(SETTINGS)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        if folder.startswith(FSDP):
            spread_weights()
        if code := main(Path(folder.removeprefix(FSDP))):
            sys.exit(code)
