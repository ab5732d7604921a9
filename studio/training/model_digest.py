"""The files that say what a model is, by name and digest: what kept results depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from studio.config.model import ModelConfig
from studio.models.model_location import model_path

DESCRIBING = (".json", ".jinja", ".txt", ".model")
INDEX = ".index.json"  # comes with the weights, which no plan reads


def model_folder(model: ModelConfig) -> Path | None:
    """Return where the files of a model lie; None when it is not known."""
    path = model_path(model.id)
    if Path(path).is_dir():
        return Path(path)
    found = try_to_load_from_cache(path, "config.json", revision=model.revision)
    return Path(found).parent if isinstance(found, str) else None


def files_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the names and digests of the files that describe a model and its processor."""
    for file in sorted(folder.iterdir()):
        if file.suffix in DESCRIBING and not file.name.endswith(INDEX):
            yield file.name, hashlib.sha256(file.read_bytes()).hexdigest()
