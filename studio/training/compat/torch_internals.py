"""Private names of torch that the studio uses, all of them here.

`tests/training/compat/test_torch_internals.py` fails when one of them means something else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.fx.experimental import _config
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

__all__ = [
    "READS_A_VALUE",
    "TorchDispatchMode",
    "nothing_is_zero",
    "storage_id",
    "tree_iter",
    "tree_map",
]

READS_A_VALUE = torch.ops.aten._local_scalar_dense.default
"""The operation behind `tensor.item()`."""


def storage_id(storage: Any) -> int:
    """Return a number that a storage keeps for as long as it lives."""
    return storage._cdata


def nothing_is_zero() -> AbstractContextManager[Any]:
    """While inside, `nonzero` of a tensor without values finds all of its entries."""
    return _config.patch(meta_nonzero_assume_all_nonzero=True)
