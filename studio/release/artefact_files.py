"""The files of an artefact: what is copied, what is cleaned, and the look for what is not for others."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from studio.core.errors import RunFailedError
from studio.core.paths import PACKAGE, building, write_atomic

PROCESSOR = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "image_processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
"""What questions and images are prepared with."""
NAMES = (
    "name_or_path",
    "_name_or_path",
    "tokenizer_file",
    "vocab_file",
    "merges_file",
    "is_local",
    "local_files_only",
)
"""Entries of JSON files in which libraries note where something was read from."""
TEXTS = (".json", ".jinja", ".txt", ".md", ".yaml", ".yml", "")
SECRET = re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,})")
SECRET_NAMES = ("HF_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "WANDB_API_KEY")
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")
"""What the base model came with; a token of it may be spelt like a path."""
SHORTEST_PATH = 4  # characters: `/` and `/tmp` alone say nothing
HEADER_BYTES = 8
DAY_ZERO = (1980, 1, 1, 0, 0, 0)
BLOCK = 1 << 20


def copy_processor(source: Path, target: Path) -> list[str]:
    """Copy tokenizer, processor and chat template without a note of where they were read from.

    Returns:
        The names of the files that were there.
    """
    names = [name for name in PROCESSOR if (source / name).is_file()]
    templates = source / "additional_chat_templates"
    for name in names:
        if name.endswith(".json"):
            text = (source / name).read_text(encoding="utf-8")
            write_atomic(target / name, _without_names(text))
        else:
            shutil.copyfile(source / name, target / name)
    if templates.is_dir():
        shutil.copytree(templates, target / templates.name, dirs_exist_ok=True)
    return names


def clean_json(file: Path) -> None:
    """Take the notes of where something was read from out of a JSON file."""
    if file.is_file():
        write_atomic(file, _without_names(file.read_text(encoding="utf-8")))


def _without_names(text: str) -> str:
    values = json.loads(text)
    if not isinstance(values, dict) or not any(name in values for name in NAMES):
        return text
    kept = {name: value for name, value in values.items() if name not in NAMES}
    return json.dumps(kept, ensure_ascii=False, indent=2) + "\n"


def ensure_for_others(folder: Path, *, places: Iterable[Path] = ()) -> None:
    """Look through every text of an artefact for paths of this machine, and for tokens.

    Args:
        places: Folders whose paths must not be in it, beside the home, the studio's own and the
            temporary one.

    Raises:
        RunFailedError: Names the file, and what kind of thing is in it.
    """
    own = {Path.home(), PACKAGE.parent, Path(tempfile.gettempdir()), *places}
    paths = sorted({str(place) for place in own if len(str(place)) > SHORTEST_PATH})
    secrets = [value for name in SECRET_NAMES if len(value := os.environ.get(name, "")) >= 8]
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name in VOCABULARIES:
            continue
        for text in _texts_of(file):
            found = _not_for_others(text, paths, secrets)
            if found:
                raise RunFailedError(
                    f"{file.relative_to(folder)} holds {found}, so nothing was released.",
                    remedy="Take it out of the run's settings or of the base model's files, and "
                    "release again.",
                )


def _texts_of(file: Path) -> Iterator[str]:
    """What can be read in a file; of weights their header."""
    if file.suffix == ".safetensors":
        with file.open("rb") as handle:
            size = int.from_bytes(handle.read(HEADER_BYTES), "little")
            yield handle.read(size).decode("utf-8", "replace")
    elif file.suffix in TEXTS:
        yield file.read_text(encoding="utf-8", errors="replace")


def _not_for_others(text: str, paths: Iterable[str], secrets: Iterable[str]) -> str:
    if SECRET.search(text) or any(secret in text for secret in secrets):
        return "what looks like a token"
    for path in paths:
        # As it is written in JSON on Windows, too; a longer name that begins so is another one.
        for spelt in {path, path.replace("\\", "\\\\")}:
            if re.search(rf"(?<![\w.-]){re.escape(spelt)}(?![\w.-])", text):
                return f"a path of this machine ({path})"
    return ""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Make a new folder that takes the place of `target` at the end: absent or whole.

    What processes that were killed have left of earlier attempts is deleted.
    """
    for rest in target.parent.glob(f".{target.name}.*"):
        pid = rest.name.removeprefix(f".{target.name}.").split(".")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(rest, ignore_errors=True)
    with building(target) as folder:
        yield folder
        if target.exists():
            old = folder.with_name(f"{folder.name}.old")
            target.rename(old)
            folder.rename(target)
            shutil.rmtree(old, ignore_errors=True)


def write_zip(folder: Path, file: Path) -> Path:
    """Pack a folder, so that the same files make the same archive; absent or whole."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for one in sorted(folder.rglob("*")):
                if one.is_file():
                    name = str(Path(folder.name, one.relative_to(folder)))
                    entry = zipfile.ZipInfo(name, DAY_ZERO)
                    entry.external_attr = 0o644 << 16
                    with one.open("rb") as source, archive.open(entry, "w", force_zip64=True) as to:
                        shutil.copyfileobj(source, to, BLOCK)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def digest_of(folder: Path, pattern: str = "*.safetensors") -> str:
    """Return the sha256 over the names and contents of a folder's weights."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob(pattern)):
        digest.update(file.name.encode())
        with file.open("rb") as handle:
            while block := handle.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def ensure_room(folder: Path, needed: float) -> None:
    """Refuse to write what the disk has no room for.

    Raises:
        RunFailedError: Says how much is needed and how much there is.
    """
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise RunFailedError(
            f"The release needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in "
            f"{place}.",
            remedy="Make room, or write it elsewhere with --out DIR. The run is as it was.",
            field="out",
        )


def write_json_text(file: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file for people to read, with its names in order."""
    write_atomic(file, json.dumps(values, ensure_ascii=False, indent=2) + "\n")
