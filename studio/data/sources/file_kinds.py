"""What files are by their endings: images, notes beside images, and those that are not read."""

from __future__ import annotations

from pathlib import PurePath

IMAGE_ENDINGS = (
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp",
    ".jfif", ".jpe", ".pjpeg", ".pjp", ".apng", ".mpo",
)  # fmt: skip
"""Of files that hold a PNG, JPEG, WebP, GIF or BMP; what they hold decides."""

NOTE_ENDINGS = (".json", ".txt", ".caption", ".cls")
"""Of files beside an image with its name."""

DESCRIPTIONS = (
    "dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "manifest.json",
    "labeling-interface.xml",
)  # fmt: skip
"""Files that tell of a dataset as a whole."""

_IMAGES = {
    "TIFF": ".tif .tiff",
    "AVIF": ".avif",
    "HEIC": ".heic .heif",
    "JPEG 2000": ".jp2 .j2k .jpx",
    "JPEG XL": ".jxl",
    "SVG": ".svg",
    "DICOM": ".dcm",
    "Camera raw": ".dng .cr2 .nef .arw",
    "Windows icon": ".ico .icns",
    "Netpbm": ".ppm .pgm .pbm .pnm",
    "TGA": ".tga",
    "EPS": ".eps",
    "Photoshop": ".psd",
}
_VIDEOS = ".mp4 .mov .avi .mkv .webm .m4v"
_OTHERS = {
    ".xlsx .xls .xlsm": ("Excel", "save the sheet as CSV"),
    ".ods .numbers": ("a spreadsheet", "save the sheet as CSV"),
    ".yaml .yml": ("YAML", "save the rows as JSON Lines (.jsonl)"),
    ".xml": ("XML", "save the rows as JSON Lines (.jsonl)"),
    ".html .htm": ("HTML", "save the rows as JSON Lines (.jsonl)"),
    ".toml": ("TOML", "save the rows as JSON Lines (.jsonl)"),
    ".pkl .pickle .pt .pth": ("a pickle, which can run programs,", "save the rows as Parquet"),
    ".npy .npz .h5 .hdf5 .mat": ("an array file", "save images as PNG and rows as JSON Lines"),
    ".db .sqlite .sqlite3": ("a database", "save the table as CSV or Parquet"),
    ".orc .avro .lance .tfrecord .msgpack": ("this table format", "save it as Parquet"),
    ".rar .7z": ("this archive format", "pack it as ZIP"),
    ".docx .doc .pdf .md .rtf": ("a document", "save the rows as CSV or JSON Lines"),
}


def _refused() -> dict[str, tuple[str, str]]:
    found = {
        ending: (kind, "save it as PNG or JPEG")
        for kind, endings in _IMAGES.items()
        for ending in endings.split()
    }
    found |= {ending: ("a video", "save frames of it as PNG or JPEG") for ending in _VIDEOS.split()}
    for endings, told in _OTHERS.items():
        found |= dict.fromkeys(endings.split(), told)
    return found


REFUSED = _refused()
"""Ending → what it is, and what to do instead."""

OTHER_IMAGES = tuple(ending for endings in _IMAGES.values() for ending in endings.split())
"""Of images in formats that are not read."""

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".gz", ".zst", ".bz2", ".xz")
"""Of files that hold others; inside a folder or an archive they stay packed."""

UNSAID = (".md", ".pdf", ".html", ".htm", ".toml", ".yaml", ".yml")
"""Of files that lie beside data as a rule and are none: no refusal, where others are data."""


def why_refused(name: str) -> str:
    """Say why a file of this name is not read; empty when its ending does not tell."""
    ending = PurePath(name).suffix.lower()
    if ending not in REFUSED:
        return ""
    kind, remedy = REFUSED[ending]
    return f"{kind[0].upper()}{kind[1:]} is not read: {remedy}"


def may_hold_rows(name: str) -> bool:
    """Return whether a file that is not read, by its name, may hold a table or other files."""
    ending = PurePath(name).suffix.lower()
    told = REFUSED.get(ending)
    return ending in ARCHIVES or (told in _OTHERS.values() and ending not in UNSAID)


def is_image(name: str) -> bool:
    """Return whether a name ends as one of an image that is read."""
    return PurePath(name).suffix.lower() in IMAGE_ENDINGS
