"""Which part of a vision-language model a module belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn
from transformers import PreTrainedModel

Tower = Literal["vision", "projector", "language", "head"]
TOWERS: tuple[Tower, ...] = ("vision", "projector", "language", "head")


@dataclass(frozen=True)
class Towers:
    """Names of the roots of the parts of one model; what is under none is the projector.

    Attributes:
        mergers: Modules below `vision` that project onto the language model's width: there the
            projector is part of the vision model's code (Qwen-VL, GLM-V).
    """

    vision: str
    language: str
    head: str
    mergers: tuple[str, ...] = ()

    def of(self, name: str) -> Tower:
        """Return the part that module or parameter `name` belongs to."""
        if _under(name, self.head):
            return "head"
        if any(_under(name, merger) for merger in self.mergers):
            return "projector"
        if _under(name, self.vision):
            return "vision"
        if _under(name, self.language):
            return "language"
        return "projector"


def find_towers(model: PreTrainedModel) -> Towers:
    """Return the towers of an (unwrapped) model, by its own `get_encoder` and `get_decoder`."""
    names = {module: name for name, module in model.named_modules()}
    vision = model.get_encoder(modality="image")
    language = model.get_decoder()
    head = model.get_output_embeddings()
    root = _name(names, vision, model)
    return Towers(
        vision=root,
        language=_name(names, language, model),
        head=names.get(head, ""),
        mergers=tuple(
            f"{root}.{child}" for child, _ in vision.named_children() if root and "merger" in child
        ),
    )


def _name(names: dict[nn.Module, str], module: nn.Module, model: nn.Module) -> str:
    return "" if module is model else names.get(module, "")


def _under(name: str, root: str) -> bool:
    return bool(root) and (name == root or name.startswith(f"{root}."))
