"""The adapters on one base model: checked, loaded, switched on and off, dropped."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft.tuners.lora import LoraLayer
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
from studio.models.compat.peft_internals import mixed
from studio.models.towers import Tower, find_towers
from studio.runs.checkpoints import MARKER

MOST_ADAPTERS = 8
RUN = "run"
BASE = "__base__"
"""PEFT's name for no adapter, where each row of a batch has its own."""
MIXED = ("Linear", "Embedding", "Linear4bit", "Linear8bitLt")
"""PEFT's layers that take such batches, also on a quantized base."""


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
        self._mixed: list[str] = []  # the adapter of each row of the batches that are run now
        self._mixing = ExitStack()
        self._on: bool | None = None  # whether adapters' layers are at work; None: not known
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
        self._unmix()
        if folder is None:
            self._biases.use(None)
            if self._peft is not None and self._on is not False:
                self._peft.base_model.disable_adapter_layers()
                self._on = False
            return
        name = self._name_of(folder, same_base)
        self._switch_on()
        if self._peft.active_adapter != name:
            self._peft.set_adapter(name, inference_mode=True)
        self._biases.use(folder)

    def forward(self, folders: Sequence[Path | None], **inputs: Any) -> Any:
        """Run the model on a batch whose rows have an adapter each; None: the base model itself.

        Args:
            folders: For each row; adapters that were activated before, without an `obstacle`.
        """
        if len(set(folders)) == 1:
            self.activate(folders[0])
            return self._base(**inputs)
        for folder in {folder for folder in folders if folder is not None}:
            self._name_of(folder, same_base=True)  # loads again what had to make room
        names = [BASE if folder is None else self._shelved[folder].name for folder in folders]
        if self._mixed != names:
            self._unmix()
            self._biases.use(None)
            self._switch_on()
            self._mixing.enter_context(mixed(self._peft, names))
            self._mixed = names
        return self._base(**inputs)

    def obstacle(self, folder: Path) -> str:
        """Return why an adapter, activated before, shares no batch with others; empty: it does."""
        shelved = self._shelved[folder]
        if shelved.alone:
            return "it is of a kind that lies alone on a model"
        if self._biases.of_adapter.get(folder):
            return "it trained biases of the base model"
        config = self._peft.peft_config[shelved.name]
        if config.modules_to_save:
            return "it replaces whole modules"
        for module in self._base.modules():
            if not isinstance(module, LoraLayer) or shelved.name not in module.scaling:
                continue
            if shelved.name in module.lora_variant:
                kind = type(module.lora_variant[shelved.name]).__name__
                return f"it is a variant of LoRA ({kind})"
            if type(module).__name__ not in MIXED:
                return f"PEFT mixes no {type(module).__name__} layers"
        return ""

    def touched(self, folder: Path) -> set[Tower]:
        """Return the parts of the model that the adapter in `folder`, activated before, changes."""
        towers = find_towers(self._base)
        names = [parameter_of(name) for name in state_of(self._peft, self._shelved[folder].name)]
        names += self._biases.of_adapter.get(folder, {})
        return {towers.of(name) for name in names}

    def _unmix(self) -> None:
        self._mixing.close()
        self._mixed = []

    def _switch_on(self) -> None:
        if not self._on:
            self._peft.base_model.enable_adapter_layers()
            self._on = True

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
        self._unmix()
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
        self._on = None
        return name

    def _empty(self) -> None:
        """Take the layers of all adapters out of the base model again."""
        self._biases.use(None)
        self._shelved.clear()
        self._biases.of_adapter.clear()
        self._peft.unload()
        self._peft = None
        self._on = None

    def _drop(self, folder: Path) -> None:
        self._peft.delete_adapter(self._shelved.pop(folder).name)


def _lies_alone(adapter: AdapterFile) -> bool:
    tokens = getattr(adapter.info.config, "trainable_token_indices", None)
    return adapter.kind != LORA or bool(tokens)
