"""Keys and values of what a model has read, in tensors that have room for what follows.

The layers of `DynamicCache` copy everything at every token; these write in place.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

ROOM = 32
"""Least number of further tokens there is room for."""


class RoomyLayer(DynamicLayer):
    """One layer's keys and values: views of larger tensors."""

    store: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the keys and values of new tokens; all there are now."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self.store is None or end > self.store[0].shape[-2]:
            self.store = self._larger(start, end, (key_states, value_states))
        keys, values = self.store
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, each as often as it is named."""
        super().batch_select_indices(indices)
        self.store = None

    def _larger(
        self, start: int, end: int, states: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        length = end + max(ROOM, end // 4)
        old = (self.keys, self.values)
        keys, values = (
            state.new_empty((*state.shape[:2], length, state.shape[-1])) for state in states
        )
        for new, before in zip((keys, values), old, strict=True):
            if start:
                new[:, :, :start] = before
        return keys, values


def empty_cache() -> DynamicCache:
    """Return a cache for a model whose layers all see every token."""
    cache = DynamicCache()
    cache.layer_class_to_replicate = RoomyLayer
    return cache
