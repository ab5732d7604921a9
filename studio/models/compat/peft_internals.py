"""Private names of PEFT, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from peft import PeftModel


def mixed(model: PeftModel, names: Sequence[str]) -> AbstractContextManager[None]:
    """Return a context in which each row of a batch goes through the adapter of its name.

    `model(..., adapter_names=names)` enters and leaves it at every call, which takes as long as a
    small model's token; this one stays.
    """
    return model.base_model._enable_peft_forward_hooks(adapter_names=list(names))
