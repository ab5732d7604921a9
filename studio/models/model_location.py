"""What a model's name stands for: a folder here or a hub id, looked at before a library is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import EMBEDDED, TINY_VLM, can_be_path, read_json, typed_path

CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"
IMAGE_PROCESSOR = ("preprocessor_config.json", "processor_config.json")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")
NAMES = 'Give a hub id (user/name), a folder, or "embedded".'
AS_PATH = re.compile(r"[/~.\\]|[A-Za-z]:[/\\]")  # what only a path begins with


def model_path(model_id: str) -> str:
    """Return the folder or hub id that `from_pretrained` takes."""
    if model_id == EMBEDDED:
        return str(TINY_VLM)
    return str(typed_path(model_id)) if model_id.startswith("~") else model_id


def folder_of(model: ModelConfig) -> Path | None:
    """Return the model's folder; None where its name is a hub id."""
    path = model_path(model.id)
    return Path(path) if can_be_path(path) and Path(path).is_dir() else None


def ensure_there(model: ModelConfig) -> None:
    """Refuse a name that is neither a model's folder nor one that the hub can have.

    Raises:
        ModelError: There is no such folder, it holds no model, or an adapter.
    """
    folder = folder_of(model)
    if folder is None:
        _ensure_hub_id(model.id)
    elif not (folder / CONFIG).is_file():
        if (folder / ADAPTER_CONFIG).is_file():
            raise _adapter(model.id, folder)
        raise _refusal(
            f"The folder {model.id} holds no model: there is no {CONFIG} in it.",
            "Give the folder that config.json and the weights are in.",
        )


def _ensure_hub_id(name: str) -> None:
    if can_be_path(model_path(name)) and Path(model_path(name)).is_file():
        raise _refusal(f"{name} is a file; a model is a folder.", "Give the folder it is in.")
    if AS_PATH.match(name):
        raise _refusal(f"There is no folder {name}.", f"Check the path. {NAMES}")
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise _refusal(f"{name!r} is no folder here, and no hub id.", NAMES) from None


def _adapter(name: str, folder: Path) -> ModelError:
    try:
        described = read_json(folder / ADAPTER_CONFIG) or {}
    except ValueError:
        described = {}
    base = str(described.get("base_model_name_or_path") or "")
    base = EMBEDDED if base == str(TINY_VLM) else base
    trained = f"trained on {base}" if base else "and does not say on which model it was trained"
    return _refusal(
        f"{name} is an adapter, no model: {trained}.",
        f"Choose {base or 'its model'} as the model. To train the adapter further, name its folder "
        "in adapter.continue_from; to ask it, use "
        f"`python -m studio chat {base or 'MODEL'} … --adapter {name}`.",
    )


def lacks_processor(model: ModelConfig) -> ModelError | None:
    """Return the refusal of a folder without the files of a processor; None where they are there."""
    folder = folder_of(model)
    if folder is None:
        return None
    missing = [
        f"{what} ({' or '.join(names[:2])})"
        for what, names in (("image processor", IMAGE_PROCESSOR), ("tokenizer", TOKENIZER))
        if not any((folder / name).is_file() for name in names)
    ]
    if not missing:
        return None
    return _refusal(
        f"The folder {model.id} holds no {' and no '.join(missing)}.",
        "Copy all files of the model into it: besides the weights, a model needs those its images "
        "and texts are prepared with.",
    )


def unreached(model: ModelConfig, error: Exception) -> ModelError | None:
    """Return what keeps a model on the hub from being read, in words; None where it is something
    else.
    """
    causes = tuple(_causes(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if has(GatedRepoError):
        return _refusal(
            f"{model.id} may only be used by those whom its owners let in.",
            "Ask for access on its page of the hub, then log in (`hf auth login`, or HF_TOKEN).",
        )
    if has(RevisionNotFoundError):
        return _refusal(f"{model.id} has no revision {model.revision}.", "Check model.revision.")
    if has(RepositoryNotFoundError):
        return _refusal(
            f"The hub has no model {model.id}, or it is private.",
            f"{NAMES} Private ones need a login.",
        )
    if has(LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError):
        return _refusal(
            f"{model.id} is not on this machine, and the hub could not be reached.",
            "Check the network and the name, or give the folder of a model.",
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refusal(message: str, remedy: str) -> ModelError:
    return ModelError(message, remedy=remedy, field="model.id")
