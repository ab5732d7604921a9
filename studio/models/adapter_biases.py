"""Biases that an adapter trained along: they belong to the base model, so they are swapped.

PEFT writes such biases over the base model's own when it loads an adapter, and switching the
adapter off does not bring the old ones back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel


@dataclass
class Biases:
    """The base's own biases and those of each adapter, by parameter of the base."""

    base: PreTrainedModel
    original: dict[str, torch.Tensor] = field(default_factory=dict)
    of_adapter: dict[Path, Mapping[str, torch.Tensor]] = field(default_factory=dict)

    def remember(self, folder: Path, biases: Mapping[str, torch.Tensor]) -> None:
        """Keep an adapter's biases, and the base's in their places."""
        for name in biases:
            if name not in self.original:
                self.original[name] = self._bias(name).detach().clone()
        self.of_adapter[folder] = biases

    def use(self, folder: Path | None) -> None:
        """Put the base's biases back, and over them those of the adapter in `folder`."""
        own = self.of_adapter.get(folder, {}) if folder else {}
        with torch.no_grad():
            for name, value in (self.original | dict(own)).items():
                self._bias(name).copy_(value)

    def _bias(self, name: str) -> nn.Parameter:
        """The bias that the bare model calls `name`, also below an adapter."""
        module_name, _, parameter = name.rpartition(".")
        module = self.base.get_submodule(module_name)
        return getattr(getattr(module, "base_layer", module), parameter)
