"""The sample sets that come with the studio: `embedded:sft`, `embedded:preferences`, …"""

from __future__ import annotations

from studio.core.errors import source_error
from studio.core.paths import EMBEDDED, SAMPLES, Workspace
from studio.data.sources.json_files import JsonLinesReader
from studio.data.sources.reader import Reader
from studio.data.split_slices import choose_split

PREFIX = f"{EMBEDDED}:"


def embedded_sets() -> list[str]:
    """List the specs of the sample sets that are installed."""
    return [f"{PREFIX}{path.parent.name}" for path in sorted(SAMPLES.glob("*/train.jsonl"))]


def matches(spec: str, workspace: Workspace) -> bool:
    return spec.startswith(PREFIX)


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open the sample set after `embedded:`. Raises DataError naming the sets there are."""
    if spec not in embedded_sets():
        raise source_error(
            f"There is no sample set {spec!r}.", f"There is: {', '.join(embedded_sets())}."
        )
    folder = SAMPLES / spec.removeprefix(PREFIX)
    files = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    name = choose_split(split, tuple(files), field)
    return JsonLinesReader(
        label=f"sample set {folder.name}", splits=tuple(files), folder=folder, path=files[name]
    )
