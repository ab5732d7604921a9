"""The files of a model's weights and what their headers say, read without the weights.

A safetensors file begins with the length of its header (8 bytes) and the header: JSON of every
tensor's name, dtype, shape and place. A model in several files has an index of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import (
    HTTPError,
    NotASafetensorsRepoError,
    OfflineModeIsEnabled,
    SafetensorsParsingError,
)
from safetensors import SafetensorError, safe_open

from studio.config.model import ModelConfig
from studio.core.errors import ModelError, first_line
from studio.core.paths import EMBEDDED, TINY_VLM

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("*.bin", "*.pt", "*.pth")
LFS_POINTER = b"version https://git-lfs"
LENGTH_BYTES, MOST_HEADER_BYTES = 8, 100_000_000
TEXTS = ("*.json", "*.jinja", "*.txt", "*.model")
SHOWN = 3
UNREACHABLE = (HTTPError, OfflineModeIsEnabled, OSError)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file; `dtype` as safetensors calls it (F32, BF16, U8, …)."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SafetensorsHeader:
    """All tensors of a model by name, and its files; without files where it lies on the hub."""

    tensors: dict[str, Tensor]
    files: tuple[Path, ...] = ()


class WeightsElsewhereError(Exception):
    """The weights are not on this machine, and the hub does not answer; the text says why."""


def read_header(model: ModelConfig, named: str | None = None) -> SafetensorsHeader:
    """Return the names, dtypes and shapes of a model's weights; from the hub where they are not
    here.

    Args:
        named: The file or index that the model's configuration names instead of the usual one.

    Raises:
        ModelError: A file is missing, cut short, a Git LFS pointer, damaged, or pickled.
        WeightsElsewhereError: They are not here and cannot be looked at.
    """
    files = weight_files(model, named)
    if files is None:
        return _header_on_hub(model)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _header_of(model, file)
    return SafetensorsHeader(tensors, tuple(files))


def weight_files(model: ModelConfig, named: str | None = None) -> list[Path] | None:
    """Return the safetensors files of a model; None where they are not on this machine.

    Raises:
        ModelError: Its folder holds none, or not all that its index names.
    """
    path = str(TINY_VLM) if model.id == EMBEDDED else model.id
    if Path(path).is_dir():
        return _in_folder(model, Path(path), named)
    return _in_cache(model, path, named)


def refuse_pointers(model: ModelConfig) -> None:
    """Refuse a model folder in which texts are Git LFS pointers, or JSON files are cut short.

    Raises:
        ModelError: Names the files.
    """
    folder = Path(model.id)
    if not folder.is_dir():
        return
    texts = sorted(file for kind in TEXTS for file in folder.glob(kind) if file.is_file())
    pointers = [file.name for file in texts if _starts(file).startswith(LFS_POINTER)]
    if pointers:
        raise _pointers(model, pointers)
    cut = [file.name for file in texts if file.suffix == ".json" and not _ends_as_json(file)]
    if cut:
        raise _unusable(
            model,
            f"{_listed(cut)} {'is' if len(cut) == 1 else 'are'} cut short or no JSON",
            _again(model),
        )


def _in_folder(model: ModelConfig, folder: Path, named: str | None) -> list[Path]:
    for name in (named,) if named else (WEIGHTS, INDEX):
        if (folder / name).is_file():
            file = folder / name
            return [file] if name.endswith(".safetensors") else _of_index(model, file)
    pickled = sorted(file.name for kind in PICKLED for file in folder.glob(kind))
    if pickled:
        raise _unusable(
            model,
            f"its weights are pickled ({_listed(pickled)}), which can run code",
            "Only safetensors are read. Choose a version in that format, or convert it with "
            "save_pretrained where you trust it.",
        )
    raise _unusable(model, f"its folder holds no weights ({named or WEIGHTS})", _again(model))


def _of_index(model: ModelConfig, index: Path) -> list[Path]:
    names = _named_in(model, index)
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise _unusable(
            model,
            f"{len(absent)} of the {len(names)} files of weights that {index.name} names "
            f"{'is' if len(absent) == 1 else 'are'} missing: {_listed(absent)}",
            _again(model),
        )
    return [index.parent / name for name in names]


def _named_in(model: ModelConfig, index: Path) -> list[str]:
    """The files that an index names."""
    if _starts(index).startswith(LFS_POINTER):
        raise _pointers(model, [index.name])
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(model, f"{index.name} is damaged", _again(model)) from error
    if not names or not all(isinstance(name, str) for name in names):
        raise _unusable(model, f"{index.name} names no files", _again(model))
    return names


def _in_cache(model: ModelConfig, repository: str, named: str | None) -> list[Path] | None:
    """What was fetched from the hub before; None unless all of it is here."""
    for name in (named,) if named else (WEIGHTS, INDEX):
        found = _cached(model, repository, name)
        if found is None:
            continue
        if name.endswith(".safetensors"):
            return [found]
        files = [_cached(model, repository, shard) for shard in _named_in(model, found)]
        return None if None in files else [file for file in files if file]
    return None


def _cached(model: ModelConfig, repository: str, name: str) -> Path | None:
    found = try_to_load_from_cache(repository, name, revision=model.revision)
    return Path(found) if isinstance(found, str) else None


def _header_on_hub(model: ModelConfig) -> SafetensorsHeader:
    try:
        found = HfApi().get_safetensors_metadata(model.id, revision=model.revision)
    except NotASafetensorsRepoError as error:
        raise _unusable(
            model, "it holds no safetensors", "Only weights in that format are read."
        ) from error
    except SafetensorsParsingError as error:
        raise _unusable(
            model, f"its weights are damaged: {first_line(error)}", "Choose another revision."
        ) from error
    except UNREACHABLE as error:
        raise WeightsElsewhereError(first_line(error)) from error
    return SafetensorsHeader(
        {
            name: Tensor(str(tensor.dtype), tuple(tensor.shape))
            for file in found.files_metadata.values()
            for name, tensor in file.tensors.items()
        }
    )


def _header_of(model: ModelConfig, file: Path) -> dict[str, Tensor]:
    """The tensors of one file.

    Raises:
        ModelError: It is no whole safetensors file.
    """
    size = file.stat().st_size
    with file.open("rb") as handle:
        begin = handle.read(LENGTH_BYTES)
        if begin + handle.read(len(LFS_POINTER) - LENGTH_BYTES) == LFS_POINTER:
            raise _pointers(model, [file.name])
        length = int.from_bytes(begin, "little")
        if length > MOST_HEADER_BYTES:
            raise _unusable(model, f"{file.name} is no safetensors file", _again(model))
        handle.seek(LENGTH_BYTES)
        text = handle.read(length)
    if size < LENGTH_BYTES or len(text) < length:
        raise _unusable(model, f"{file.name} is cut short ({size:,} bytes)", _again(model))
    try:
        values = json.loads(text)
        whole = LENGTH_BYTES + length + max((end for _, end in _places(values)), default=0)
        if size < whole:
            raise _unusable(
                model,
                f"{file.name} is cut short: {size:,} of {whole:,} bytes are here",
                _again(model),
            )
        with safe_open(file, framework="numpy"):  # what else is wrong with it
            pass
        return dict(_tensors(values))
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise _unusable(
            model, f"{file.name} is damaged: {first_line(error)}", _again(model)
        ) from error


def _places(values: dict[str, Any]) -> Iterator[tuple[int, int]]:
    for name, item in values.items():
        if name != "__metadata__":
            start, end = item["data_offsets"]
            yield int(start), int(end)


def _tensors(values: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, item in values.items():
        if name != "__metadata__":
            yield name, Tensor(str(item["dtype"]), tuple(item["shape"]))


def _starts(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(len(LFS_POINTER))


def _ends_as_json(file: Path) -> bool:
    """Whether the last sign of a file closes an object or a list."""
    with file.open("rb") as handle:
        end = handle.seek(0, 2)
        handle.seek(max(0, end - 64))
        return handle.read().rstrip()[-1:] in (b"}", b"]")


def _pointers(model: ModelConfig, names: list[str]) -> ModelError:
    many = len(names) > 1
    return _unusable(
        model,
        f"{_listed(names)} {'are Git LFS pointers' if many else 'is a Git LFS pointer'}, not the "
        f"file{'s' if many else ''} {'they stand' if many else 'it stands'} for",
        "Run `git lfs install` and `git lfs pull` in its folder, or fetch it with `hf download`.",
    )


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _again(model: ModelConfig) -> str:
    if Path(model.id).is_dir():
        return "Copy or download the model again, whole."
    return f"Fetch it again: `hf download {model.id} --force-download`."


def _unusable(model: ModelConfig, reason: str, remedy: str) -> ModelError:
    return ModelError(
        f"The weights of {model.id} cannot be used: {reason}.", remedy=remedy, field="model.id"
    )
