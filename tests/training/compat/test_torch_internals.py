"""What the studio expects of private names of torch; a failure says that upstream changed."""

from __future__ import annotations

import torch

from studio.training.compat.torch_internals import (
    READS_A_VALUE,
    TorchDispatchMode,
    nothing_is_zero,
    storage_id,
    tree_iter,
    tree_map,
)


def test_views_share_the_number_of_their_storage():
    tensor = torch.empty(4, device="meta")
    assert storage_id(tensor.untyped_storage()) == storage_id(tensor[1:].untyped_storage())
    other = torch.empty(4, device="meta")
    assert storage_id(tensor.untyped_storage()) != storage_id(other.untyped_storage())


def test_a_mode_sees_every_operation_and_the_one_that_reads_a_value():
    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            names.append(func)
            return func(*args, **(kwargs or {}))

    names: list = []
    with Seen():
        torch.ones(1).item()
    assert READS_A_VALUE in names


def test_entries_without_values_all_count():
    with nothing_is_zero():
        assert torch.empty(3, device="meta").nonzero().shape == (3, 1)


def test_trees_are_gone_through():
    tree = {"a": [1, (2,)]}
    assert list(tree_iter(tree)) == [1, 2] and tree_map(str, tree) == {"a": ["1", ("2",)]}
