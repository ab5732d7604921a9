"""Adapters: making their PEFT configuration, and checking a folder before it is loaded."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import peft
from peft import LoraConfig, PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from studio.config.adapter import AdapterConfig
from studio.core.errors import ModelError, first_line
from studio.core.paths import Workspace, can_be_path
from studio.models.lora_targets import target_modules
from studio.models.towers import find_towers

logger = logging.getLogger(__name__)

WEIGHTS = "adapter_model.safetensors"
CONTINUE = "adapter.continue_from"
SAID_NAME = 200  # characters of a name that an error repeats
INIT = {"default": True, "eva": True}
"""As PEFT calls them; `studio.training.adapter_init` sets what EVA begins with later."""


def lora_config(adapter: AdapterConfig, skeleton: PreTrainedModel) -> LoraConfig:
    """Return PEFT's configuration for `adapter` on a model with the modules of `skeleton`."""
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=target_modules(skeleton, adapter),
        use_dora=adapter.dora,
        use_rslora=adapter.rslora,
        bias=adapter.bias,
        modules_to_save=saved_modules(skeleton, adapter) or None,
        init_lora_weights=INIT.get(adapter.init, adapter.init),
        task_type="CAUSAL_LM",
    )


def saved_modules(model: PreTrainedModel, adapter: AdapterConfig) -> list[str]:
    """Return `adapter.modules_to_save`, each checked against the modules of `model`.

    Raises:
        ModelError: A name fits no module, or the output head.
    """
    towers = find_towers(model)
    for wanted in adapter.modules_to_save:
        found = [n for n, _ in model.named_modules() if n == wanted or n.endswith(f".{wanted}")]
        if not found:
            parts = ", ".join(name for name, _ in model.base_model.named_children())
            raise ModelError(
                f"{wanted!r} is no module of this model.",
                remedy=f"Its parts are {parts}.",
                field="adapter.modules_to_save",
            )
        if any(towers.of(name) == "head" for name in found):
            raise ModelError(
                f"{wanted!r} is the output head, which cannot be trained beside an adapter: the "
                "loss is computed from the head directly.",
                remedy="Leave it out, or train every weight (adapter: null).",
                field="adapter.modules_to_save",
            )
    return list(adapter.modules_to_save)


@dataclass(frozen=True)
class AdapterInfo:
    """What a folder of trained weights says of itself.

    Attributes:
        base: The model it was trained on, as it names it; empty when it does not.
        field: The setting that names the folder, for errors.
    """

    folder: Path
    base: str
    rank: int
    config: PeftConfig
    field: str

    @property
    def kind_of_peft(self) -> str:
        """Its kind, as PEFT calls it: LORA, LOHA, …"""
        return str(self.config.peft_type.value)


def adapter_folder(name: str, workspace: Workspace, field: str = CONTINUE) -> Path:
    """Return the folder of a run's adapter, or the folder itself.

    Args:
        field: The setting that names it, for the error.

    Raises:
        ModelError: There is neither such a run nor such a folder.
    """
    for folder in (workspace.run(name).adapter, Path(name)):
        if can_be_path(name) and folder.is_dir():
            return folder
    raise ModelError(
        f"There is no run or adapter folder {name[:SAID_NAME]!r}.",
        remedy="Give the id of a finished run, or the path of an adapter folder.",
        field=field,
    )


def inspect_adapter(folder: Path, field: str = CONTINUE) -> AdapterInfo:
    """Read an adapter folder's description and check its weights file.

    Args:
        field: The setting that names the folder, for the error.

    Raises:
        ModelError: It is no adapter, asks for foreign code, holds pickled weights, or is damaged.
    """
    values = _described(folder, field)
    _refuse_foreign(folder, values, field)
    _check_weights(folder, field)
    config = _configuration(folder, values, field)
    base, rank = str(values.get("base_model_name_or_path") or ""), int(values.get("r") or 0)
    return AdapterInfo(folder, base, rank, config, field)


def _described(folder: Path, field: str) -> dict[str, Any]:
    try:
        values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        int(values.get("r") or 0)
    except FileNotFoundError:
        raise broken(folder, "it has no adapter_config.json", field) from None
    except (ValueError, TypeError, AttributeError) as error:  # no JSON, no object, or no number
        raise broken(folder, "its adapter_config.json is not readable", field) from error
    return values


def _refuse_foreign(folder: Path, values: dict[str, Any], field: str) -> None:
    """PEFT notes the class of the base model in `auto_mapping`; only transformers' own are known."""
    mapping = values.get("auto_mapping") or {}
    library = mapping.get("parent_library") if isinstance(mapping, dict) else mapping
    known = library is None or str(library).split(".")[0] == "transformers"
    if "auto_map" in values or values.get("megatron_config") or not known:
        raise broken(folder, "it asks for foreign code to be run, which is never done", field)


def _check_weights(folder: Path, field: str) -> None:
    weights = folder / WEIGHTS
    if not weights.is_file():
        pickled = any(folder.glob("adapter_model.bin"))
        reason = (
            "its weights are pickled, which can run code" if pickled else f"{WEIGHTS} is missing"
        )
        raise broken(folder, reason, field)
    try:
        with safe_open(weights, framework="numpy") as handle:
            names = handle.keys()
    except (SafetensorError, OSError) as error:
        raise broken(folder, f"{WEIGHTS} is damaged ({error})", field) from error
    if not names:
        raise broken(folder, f"{WEIGHTS} is empty", field)


def _configuration(folder: Path, values: dict[str, Any], field: str) -> PeftConfig:
    """The description as PEFT reads it; what PEFT would leave out with a warning is refused."""
    kind = values.get("peft_type")
    known = PEFT_TYPE_TO_CONFIG_MAPPING.get(str(kind))
    if known is None:
        raise broken(
            folder,
            f"its kind is {kind!r}, which the installed PEFT ({peft.__version__}) does not know",
            field,
        )
    names = {entry.name for entry in fields(known)}
    unknown = [name for name, value in values.items() if name not in names and value]
    if unknown:
        raise broken(
            folder,
            f"it is described with {', '.join(unknown[:3])}, which the installed PEFT "
            f"({peft.__version__}) does not know",
            field,
        )
    given = {name: value for name, value in values.items() if name in names}
    try:
        return known(**given)
    except (ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        logger.exception("PEFT refused the description of %s", folder)
        raise broken(
            folder, f"its adapter_config.json is not readable ({first_line(error)})", field
        ) from error


def broken(folder: Path, reason: str, field: str) -> ModelError:
    """Return the refusal of an adapter for a reason that lies in its folder."""
    return ModelError(
        f"The adapter in {place_of(folder)} cannot be used: {reason}.",
        remedy="Choose another adapter, or train it again. Weights are read from safetensors only; "
        "docs/runs.md says what is used in chat, SFT and DPO.",
        field=field,
    )


def place_of(folder: Path) -> str:
    """Return a short name for an adapter's folder: a run's own is always called `adapter`."""
    return folder.parent.name if folder.name == "adapter" and folder.parent.name else folder.name
