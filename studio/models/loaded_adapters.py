"""The adapters on one base model: checked, loaded, switched on and off, dropped."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from studio.config.model import ModelConfig
from studio.models.adapter_biases import Biases
from studio.models.adapter_kinds import LORA
from studio.models.adapter_weights import (
    AdapterFile,
    check_adapter,
    parameter_of,
    put_on,
    state_of,
)
from studio.models.towers import Tower, find_towers
from studio.runs.checkpoints import MARKER

MOST_ADAPTERS = 8
RUN = "run"


@dataclass(frozen=True)
class _Shelved:
    """An adapter in memory, when its folder was completed, and whether it lies alone."""

    name: str
    stamp: int
    alone: bool


class AdapterShelf:
    """Adapters of one base model by folder; the least recently used go when it is full.

    Several LoRA adapters lie side by side. One of another kind lies alone: PEFT puts no two
    kinds on one model. So does LoRA with trainable tokens: PEFT then expects tokens of every
    adapter that is loaded after it.

    Every method must be called by whoever holds the model's turn. `spoiled` says that a failed
    load left the base model changed, so that it has to be loaded again.
    """

    def __init__(self, base: PreTrainedModel, model: ModelConfig) -> None:
        self._base = base
        self._model = model
        self._peft: Any = None  # a PeftModel once an adapter was loaded
        self._biases = Biases(base)
        self._shelved: OrderedDict[Path, _Shelved] = OrderedDict()
        self._loaded = 0
        self.spoiled = False

    @property
    def folders(self) -> list[Path]:
        """Adapters in memory, least recently used first."""
        return list(self._shelved)

    def activate(self, folder: Path | None, *, same_base: bool = False) -> None:
        """Make the model answer with the adapter in `folder`, or as it came without one.

        Args:
            same_base: The user says that the base it names is this one under another name.

        Raises:
            ModelError: The adapter is damaged, pickled, not of a kind that is used here, or was
                trained on another model.
        """
        if folder is None:
            self._biases.use(None)
            if self._peft is not None:
                self._peft.base_model.disable_adapter_layers()
            return
        name = self._name_of(folder, same_base)
        self._peft.base_model.enable_adapter_layers()
        if self._peft.active_adapter != name:
            self._peft.set_adapter(name, inference_mode=True)
        self._biases.use(folder)

    def touched(self, folder: Path) -> set[Tower]:
        """Return the parts of the model that the adapter in `folder`, activated before, changes."""
        towers = find_towers(self._base)
        names = [parameter_of(name) for name in state_of(self._peft, self._shelved[folder].name)]
        names += self._biases.of_adapter.get(folder, {})
        return {towers.of(name) for name in names}

    def _name_of(self, folder: Path, same_base: bool) -> str:
        marker = folder / MARKER
        stamp = marker.stat().st_mtime_ns if marker.exists() else 0
        shelved = self._shelved.get(folder)
        if shelved is not None and shelved.stamp != stamp:
            self._drop(folder)
            shelved = None
        if shelved is None:
            adapter = check_adapter(
                folder, self._model, purpose="chat", field=RUN, same_base=same_base
            )
            name = self._load(adapter)
            shelved = self._shelved[folder] = _Shelved(name, stamp, _lies_alone(adapter))
        self._shelved.move_to_end(folder)
        while len(self._shelved) > MOST_ADAPTERS:
            self._drop(next(iter(self._shelved)))
        return shelved.name

    def _load(self, adapter: AdapterFile) -> str:
        beside = [shelved.alone for shelved in self._shelved.values()]
        if self._peft is not None and any((_lies_alone(adapter), *beside)):
            self._empty()
        self._loaded += 1
        name = f"adapter{self._loaded}"
        biases = {
            adapter.biases[key]: value for key, value in adapter.tensors() if key in adapter.biases
        }
        self._biases.remember(adapter.folder, biases)
        self.spoiled = True  # until it is known that all went well
        self._peft = put_on(self._peft or self._base, adapter, name, biases=False)
        self.spoiled = False
        self._peft.eval()
        return name

    def _empty(self) -> None:
        """Take the layers of all adapters out of the base model again."""
        self._biases.use(None)
        self._shelved.clear()
        self._biases.of_adapter.clear()
        self._peft.unload()
        self._peft = None

    def _drop(self, folder: Path) -> None:
        self._peft.delete_adapter(self._shelved.pop(folder).name)


def _lies_alone(adapter: AdapterFile) -> bool:
    tokens = getattr(adapter.info.config, "trainable_token_indices", None)
    return adapter.kind != LORA or bool(tokens)
