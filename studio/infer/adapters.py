"""The adapters on one base model: checked, loaded, switched on and off, dropped."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from safetensors import safe_open
from transformers import PreTrainedModel

from studio.errors import ModelError, first_line
from studio.infer.biases import Biases, module_of
from studio.models.adapters import WEIGHTS, inspect_adapter
from studio.paths import EMBEDDED
from studio.runs.checkpoints import MARKER

MOST_ADAPTERS = 8
_PREFIX = "base_model.model."
_SHOWN = 3


@dataclass(frozen=True)
class _Shelved:
    """An adapter in memory, and when its folder was completed."""

    name: str
    stamp: int


class AdapterShelf:
    """Adapters of one base model by folder; the least recently used go when it is full.

    Every method must be called by whoever holds the model's turn. `spoiled` says that a failed
    load left the base model changed, so that it has to be loaded again.
    """

    def __init__(self, base: PreTrainedModel, base_id: str) -> None:
        self._base = base
        self._base_id = base_id
        self._peft: PeftModel | None = None
        self._biases = Biases(base)
        self._shelved: OrderedDict[Path, _Shelved] = OrderedDict()
        self._loaded = 0
        self.spoiled = False

    @property
    def folders(self) -> list[Path]:
        """Adapters in memory, least recently used first."""
        return list(self._shelved)

    def activate(self, folder: Path | None) -> None:
        """Make the model answer with the adapter in `folder`, or as it came without one.

        Raises:
            ModelError: The adapter is damaged, pickled, or was trained on another model.
        """
        if folder is None:
            self._biases.use(None)
            if self._peft is not None:
                self._peft.base_model.disable_adapter_layers()
            return
        name = self._name_of(folder)
        self._peft.base_model.enable_adapter_layers()
        if self._peft.active_adapter != name:
            self._peft.set_adapter(name, inference_mode=True)
        self._biases.use(folder)

    def _name_of(self, folder: Path) -> str:
        stamp = _stamp(folder)
        shelved = self._shelved.get(folder)
        if shelved is not None and shelved.stamp != stamp:
            self._drop(folder)
            shelved = None
        if shelved is None:
            shelved = self._shelved[folder] = _Shelved(self._load(folder), stamp)
        self._shelved.move_to_end(folder)
        while len(self._shelved) > MOST_ADAPTERS:
            self._drop(next(iter(self._shelved)))
        return shelved.name

    def _load(self, folder: Path) -> str:
        refuse_wrong_base(folder, self._base, self._base_id)
        self._loaded += 1
        name = f"adapter{self._loaded}"
        self._biases.remember(folder, WEIGHTS)
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self._base, folder, adapter_name=name, use_safetensors=True
                )
            else:
                self._peft.load_adapter(folder, adapter_name=name, use_safetensors=True)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            self.spoiled = True
            raise _wrong_base(folder, first_line(error)) from error
        self._peft.eval()
        return name

    def _drop(self, folder: Path) -> None:
        self._peft.delete_adapter(self._shelved.pop(folder).name)


def refuse_wrong_base(folder: Path, base: PreTrainedModel, base_id: str) -> None:
    """Check an adapter against a base model before anything of the model is touched.

    Raises:
        ModelError: It is damaged, pickled, made for another model, or fits other shapes.
    """
    info = inspect_adapter(folder)
    if info.base and _plain(info.base) != _plain(base_id):
        raise _wrong_base(folder, f"it was trained on {info.base}, not on {base_id}")
    modules = dict(base.named_modules())
    absent: set[str] = set()
    with safe_open(folder / WEIGHTS, framework="pt") as handle:
        for key in handle.keys():  # noqa: SIM118  (not a mapping)
            module, is_lora, part = key.removeprefix(_PREFIX).partition(".lora_")
            if not is_lora:
                module = module_of(key)
            found = modules.get(module)
            found = getattr(found, "base_layer", found)
            if found is None:
                absent.add(module)
            elif not _fits(found, part, handle.get_slice(key).get_shape()):
                raise _wrong_base(folder, f"its weights for {module} have another shape")
    if absent:
        raise _wrong_base(folder, f"the model has no {', '.join(sorted(absent)[:_SHOWN])}")


def _fits(module: object, part: str, shape: list[int]) -> bool:
    if part.startswith("A.") and hasattr(module, "in_features"):
        return shape[-1] == module.in_features
    if part.startswith("B.") and hasattr(module, "out_features"):
        return shape[0] == module.out_features
    return True


def _plain(base: str) -> str:
    is_embedded = base == EMBEDDED or base.replace("\\", "/").endswith("assets/tiny-vlm")
    return EMBEDDED if is_embedded else base.rstrip("/")


def _wrong_base(folder: Path, reason: str) -> ModelError:
    return ModelError(
        f"The adapter of {folder.parent.name} does not fit the model: {reason}.",
        remedy="Choose the model it was trained on.",
        field="run",
    )


def _stamp(folder: Path) -> int:
    marker = folder / MARKER
    return marker.stat().st_mtime_ns if marker.exists() else 0
