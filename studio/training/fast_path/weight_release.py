"""Weights that nothing needs for now, given back to the file they are mapped from.

On the CPU, weights that are computed with as they are stored are a private mapping of their file.
Linux can forget such pages and reads them again when they are touched, so nothing has to know
that a tower sleeps: saving, answering and encoding find their weights as before. Pages that were
written to are this process's own and would be lost, so a mapping that has any is left alone.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from studio.models.towers import Tower, find_towers

MADV_DONTNEED = 4
LEAST = 16 * 1024 * 1024
"""Bytes that are worth reading this process's mappings for, which takes some 50 ms."""
MAPS = Path("/proc/self/smaps")
OWN = ("Anonymous:", "Swap:")
"""What counts the pages of a mapping that were written to."""
HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ...(.) [0-9a-f]+ \S+ (\d+)")

Range = tuple[int, int]


def give_back(tensors: Iterable[torch.Tensor]) -> int:
    """Forget the pages of `tensors` where they are an unchanged file's; bytes forgotten.

    Less than `LEAST` is kept: it is not worth the time.
    """
    if sys.platform != "linux":
        return 0
    ranges = [_pages(tensor) for tensor in tensors if tensor.device.type == "cpu"]
    if sum(max(0, end - start) for start, end in ranges) < LEAST:
        return 0
    unchanged = unchanged_mappings()
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    done = 0
    for start, end in ranges:
        inside = any(first <= start and end <= last for first, last in unchanged)
        if start < end and inside and advise(start, end - start, MADV_DONTNEED) == 0:
            done += end - start
    return done


def weights(model: PreTrainedModel, *parts: Tower) -> Iterator[torch.Tensor]:
    """The weights of some parts of a model."""
    towers = find_towers(model)
    for name, parameter in model.named_parameters():
        if towers.of(name) in parts:
            yield parameter.data


@contextmanager
def one_at_a_time(model: PreTrainedModel) -> Iterator[None]:
    """Within, vision tower and language model give their weights back as they end a forward pass."""
    towers = find_towers(model)
    roots = [model.get_submodule(name) for name in (towers.vision, towers.language) if name]
    hooks = [root.register_forward_hook(_sleep) for root in roots]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _sleep(module: nn.Module, *_: object) -> None:
    give_back(parameter.data for parameter in module.parameters())


def unchanged_mappings() -> list[Range]:
    """Address ranges that are private mappings of files and were never written to."""
    try:
        lines = MAPS.read_text().splitlines()
    except OSError:
        return []
    mapped = False
    found: list[Range] = []
    for line in lines:
        head = HEAD.match(line)
        if head:
            start, end, kind, inode = head.groups()
            mapped = kind == "p" and inode != "0"
            if mapped:
                found.append((int(start, 16), int(end, 16)))
        elif mapped and line.startswith(OWN) and int(line.split()[1]):
            found.pop()
            mapped = False
    return found


def _pages(tensor: torch.Tensor) -> Range:
    """The whole pages of a tensor's storage; those it shares with its neighbours stay."""
    storage = tensor.untyped_storage()
    first, size = tensor.data_ptr(), mmap.PAGESIZE
    last = min(first + tensor.nbytes, storage.data_ptr() + storage.nbytes())
    return -(-first // size) * size, last // size * size if tensor.is_contiguous() else 0
