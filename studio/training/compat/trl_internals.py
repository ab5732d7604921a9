"""Private names of TRL that the studio uses, all of them here.

`tests/training/compat/test_trl_internals.py` fails when one of them means something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from trl.kernels import chunked_logprob
from trl.trainer import utils

from studio.core.temporary_attribute import swapped

CHUNK = "_CHUNKED_LOGPROB_CHUNK_SIZE"
TILES = ("_forward_tile", "_backward_tile", "_addmm_fp32")


def head_chunk() -> int:
    """Return how many entries of the vocabulary the fused head computes at once."""
    return getattr(utils, CHUNK)


def head_chunk_of(size: int) -> AbstractContextManager[None]:
    """While inside, the fused head computes `size` entries of the vocabulary at once."""
    return swapped(utils, CHUNK, size)


@contextmanager
def in_place_head() -> Iterator[None]:
    """The fused head as its Triton kernels run it: a tile of logits is worked on in place."""
    forward, backward, product = (swapped(chunked_logprob, name, _nothing) for name in TILES)
    with forward, backward, product:
        yield


def _nothing(*_: Any, **__: Any) -> None:
    return None
