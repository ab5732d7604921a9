"""From labels to a frozen dataset: what was labelled, by which rule, and what was left out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from studio.annotation.formats import WRITERS, Images
from studio.annotation.preferences import REASONS, Preferences
from studio.annotation.store import AnnotationStore
from studio.annotation.views import ExportPolicy, TiePolicy
from studio.data.schema import Row
from studio.errors import DataError
from studio.paths import Workspace, write_json

FORMATS = ("trl", *WRITERS)


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        path: Its folder, `exports/<name>-<hash>`.
        rows: Pairs exported.
        left_out: Pairs left out, by reason (`preferences.REASONS`).
    """

    path: Path
    rows: int
    left_out: dict[str, int]

    @property
    def source(self) -> str:
        """What to write as `data.source` of a run."""
        return f"exports/{self.path.name}"


def export_preferences(
    store: AnnotationStore,
    images: Images,
    workspace: Workspace,
    *,
    dataset: str,
    name: str,
    tie_policy: TiePolicy = "drop",
    minimum_votes: int = 1,
    format: str = "trl",
    include_imported: bool = False,
) -> Export:
    """Freeze the majority answers of `dataset` below `exports/`.

    Args:
        format: "trl" is what the studio trains on; "jsonl", "csv", "parquet" are for other tools.
        tie_policy, minimum_votes, include_imported: See `ExportPolicy`.

    Raises:
        DataError: A setting is unusable, or there is nothing to export; nothing was written.
        NotFoundError: There is no such dataset.
    """
    policy = ExportPolicy(tie_policy, minimum_votes, include_imported)
    _check(name, format, policy)
    found = store.decided_preferences(dataset, policy)
    if not found.rows:
        raise _nothing(dataset, found)
    manifest = {
        "dataset": dataset,
        "policy": asdict(policy),
        "left_out": dict(found.left_out),
        "pairs": len(found.rows),
    }
    path = _write(found.rows, images, workspace, name, format, manifest)
    return Export(path, len(found.rows), dict(found.left_out))


def export_name(dataset: str) -> str:
    """A dataset's name as the name of an export: `embedded:unlabelled` → `embedded-unlabelled`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", dataset).strip("-._")[:60] or "preferences"


def explain(left_out: dict[str, int]) -> str:
    """The reasons in words: "3 with no label yet, 1 skipped"; empty when nothing was left out."""
    return ", ".join(f"{number}: {REASONS[reason]}" for reason, number in left_out.items())


def _write(
    rows: list[Row], images: Images, workspace: Workspace, name: str, format: str, manifest: dict
) -> Path:
    if format == "trl":
        from studio.data.freeze import freeze

        return freeze(rows, name, workspace, manifest)
    target = workspace.exports / f"{name}-{_content_hash(rows, format)}"
    if target.exists():
        return target
    building = workspace.exports / f".{target.name}.{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    WRITERS[format](rows, images, building)
    write_json(building / "manifest.json", {"name": name, "format": format, **manifest})
    building.rename(target)
    return target


def _content_hash(rows: Sequence[Row], format: str) -> str:
    content = json.dumps([format, *(asdict(row) for row in rows)], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _check(name: str, format: str, policy: ExportPolicy) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise DataError(
            f"{name[:80]!r} cannot be the name of an export.",
            remedy="Use up to 80 letters, digits, dots, dashes and underscores.",
            field="name",
        )
    if format not in FORMATS:
        raise DataError(
            f"There is no format {format!r}.",
            remedy=f"Use one of: {', '.join(FORMATS)}.",
            field="format",
        )
    if policy.ties not in get_args(TiePolicy):
        raise DataError(
            f"There is no tie policy {policy.ties!r}.",
            remedy=f"Use one of: {', '.join(get_args(TiePolicy))}.",
            field="tie_policy",
        )
    if policy.minimum_votes < 1:
        raise DataError(
            "An answer needs at least one vote to be exported.",
            remedy="Use 1 or more.",
            field="minimum_votes",
        )


def _nothing(dataset: str, found: Preferences) -> DataError:
    pairs = sum(found.left_out.values())
    if not pairs:
        return DataError(
            f"The dataset {dataset!r} has no pairs.",
            remedy="Import rows with two answers each, or sample answers from a model.",
            field="dataset",
        )
    return DataError(
        f"Nothing to export from {dataset!r}: of {pairs} pairs, {explain(dict(found.left_out))}.",
        remedy="Label some pairs in Annotate, or include the preferences that were imported.",
        field="dataset",
    )
