"""Biases that an adapter trained along: they belong to the base model, so they are swapped.

PEFT writes such biases over the base model's own when it loads an adapter, and switching the
adapter off does not bring the old ones back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel

PREFIX, BIAS, WRAPPED = "base_model.model.", ".bias", ".base_layer"


@dataclass
class Biases:
    """The base's own biases and those of each adapter, by module name."""

    base: PreTrainedModel
    original: dict[str, torch.Tensor] = field(default_factory=dict)
    of_adapter: dict[Path, dict[str, torch.Tensor]] = field(default_factory=dict)

    def remember(self, folder: Path, weights: str) -> None:
        """Read an adapter's biases, and the base's in their places; before PEFT loads it."""
        found: dict[str, torch.Tensor] = {}
        with safe_open(folder / weights, framework="pt") as handle:
            for key in handle.keys():  # noqa: SIM118  (not a mapping)
                if key.endswith(BIAS) and ".lora_" not in key:
                    found[module_of(key)] = handle.get_tensor(key)
        for name in found:
            if name not in self.original:
                self.original[name] = self._bias(name).detach().clone()
        self.of_adapter[folder] = found

    def use(self, folder: Path | None) -> None:
        """Put the base's biases back, and over them those of the adapter in `folder`."""
        own = self.of_adapter.get(folder, {}) if folder else {}
        with torch.no_grad():
            for name, value in (self.original | own).items():
                self._bias(name).copy_(value)

    def _bias(self, name: str) -> nn.Parameter:
        module = self.base.get_submodule(name)
        return getattr(module, "base_layer", module).bias


def module_of(key: str) -> str:
    """The module that a key of a saved adapter belongs to, as the bare model calls it."""
    module = key.removeprefix(PREFIX).rpartition(".")[0]
    return module.removesuffix(WRAPPED)
