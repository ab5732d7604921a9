"""What the studio expects of private names of TRL; a failure says that upstream changed."""

from __future__ import annotations

import torch
from trl.kernels import chunked_logprob

from studio.training.compat.trl_internals import TILES, head_chunk, head_chunk_of, in_place_head


def test_the_chunk_of_the_fused_head_is_a_number_that_can_be_changed():
    usual = head_chunk()
    assert usual > 0
    with head_chunk_of(7):
        assert head_chunk() == 7
    assert head_chunk() == usual


def test_the_tiles_of_the_fused_head_do_nothing_meanwhile():
    before = [getattr(chunked_logprob, name) for name in TILES]
    with in_place_head():
        assert [getattr(chunked_logprob, name)(torch.ones(1)) for name in TILES] == [None] * 3
    assert [getattr(chunked_logprob, name) for name in TILES] == before
