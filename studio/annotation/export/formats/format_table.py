"""Every format that an export can have, by the name that people choose it by."""

from __future__ import annotations

from studio.annotation.export import file_formats
from studio.annotation.export.export_contents import ExportFormat
from studio.annotation.export.formats import (
    argilla,
    label_studio,
    llama_factory,
    ms_swift,
    openai,
)

TRL = "trl"
FILES: dict[str, ExportFormat] = {
    "jsonl": file_formats.JSONL,
    "csv": file_formats.CSV,
    "parquet": file_formats.PARQUET,
    "argilla": argilla.FORMAT,
    "label-studio": label_studio.FORMAT,
    "ms-swift": ms_swift.FORMAT,
    "llama-factory": llama_factory.FORMAT,
    "openai": openai.FORMAT,
}
"""Formats for other tools; what the studio trains on (`trl`) is frozen by `frozen_dataset`."""
FORMATS = (TRL, *FILES)
LINES = {TRL: "TRL: for training here, Parquet with images inside"} | {
    name: f"{format.title}: {format.line}" for name, format in FILES.items()
}


def formats_of(shape: str) -> list[str]:
    """List the formats that hold a shape."""
    trainable = [TRL] if shape in ("preferences", "completions") else []
    return trainable + [name for name, format in FILES.items() if shape in format.shapes]
