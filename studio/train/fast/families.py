"""What the fast path knows about model families; a family that is not here trains as before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """How exactly a family can be computed with shared work.

    Attributes:
        prompts: Empty when rows may share a prompt: one-dimensional positions, causal attention,
            boolean 4-D masks. Otherwise the reason why not.
    """

    prompts: str = ""


ONE_DIMENSIONAL = Family()

FAMILIES: dict[str, Family] = {
    "idefics3": ONE_DIMENSIONAL,
    "smolvlm": ONE_DIMENSIONAL,
}

MASKS = ("sdpa", "eager")
