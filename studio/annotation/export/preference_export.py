"""From labels to a frozen dataset: what was labelled, by which rule, and what was left out."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from studio.annotation.export.export_shapes import completions
from studio.annotation.export.file_formats import WRITERS, Images, write_answers, write_ranked
from studio.annotation.export.hub_publish import write_card
from studio.annotation.export.label_policies import REASONS
from studio.annotation.records import ExportPolicy, TiePolicy
from studio.annotation.store import AnnotationStore
from studio.config.export import EVALUATION_SHARE, LEAST_VOTES
from studio.config.run import Method
from studio.core import spreadsheet
from studio.core.errors import DataError, NotFoundError
from studio.core.paths import Workspace, building, read_json, write_json
from studio.data.schema import Row, plain_row

FORMATS = ("trl", *WRITERS)
Shape = Literal["preferences", "completions", "ranked", "answers"]
LINES = ("ranked", "answers")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        path: Its folder, `exports/<name>-<hash>`.
        rows: How many were exported.
        left_out: Pairs left out, by reason (`preferences.REASONS`).
        answers: Whether the rows are what people said, not pairs.
    """

    path: Path
    rows: int
    left_out: dict[str, int]
    answers: bool = False

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
    minimum_votes: int = LEAST_VOTES,
    format: str = "trl",
    include_imported: bool = False,
    shape: Shape = "preferences",
    evaluation_share: float = EVALUATION_SHARE,
    **more: Any,
) -> Export:
    """Freeze what people decided about `dataset` below `exports/`.

    Args:
        format: "trl" is what the studio trains on; "jsonl", "csv", "parquet" are for other tools.
        shape: "preferences" (DPO), "completions" (SFT: ideal answers, edits, else the chosen
            one), "ranked" (all answers of an item in order) or "answers" (what each person
            said, ties, skips, marks and comments too); the last two as JSONL only.
        evaluation_share: Share of the images held out (format "trl").
        tie_policy, minimum_votes, include_imported, more: See `ExportPolicy`.

    Raises:
        DataError: A setting is unusable, or there is nothing to export; nothing was written.
        NotFoundError: There is no such dataset.
    """
    policy = ExportPolicy(tie_policy, minimum_votes, include_imported, **more)
    _check(name, format, policy, shape, evaluation_share)
    if shape == "answers":
        return _export_answers(store, images, workspace, dataset, name, policy)
    decided = store.decided_preferences(dataset, policy)
    rows, left_out = decided.rows, dict(decided.left_out)
    if shape == "completions":
        rows, circular = completions(rows)
        left_out |= {"circular": circular} if circular else {}
    rows, missing = _with_images(rows, images)
    left_out |= {"no_image": missing} if missing else {}
    if not rows:
        raise _nothing(dataset, left_out)
    manifest = {
        "dataset": dataset,
        "shape": shape,
        "policy": asdict(policy),
        "left_out": left_out,
        "pairs": len(rows),
        "evaluation_share": evaluation_share if format == "trl" else 0.0,
        **_dates(store, dataset),
    }
    path = _write(rows, images, workspace, name, format, manifest)
    _also(path, manifest)
    write_card(path)
    return Export(path, len(rows), left_out)


def _export_answers(
    store: AnnotationStore,
    images: Images,
    workspace: Workspace,
    dataset: str,
    name: str,
    policy: ExportPolicy,
) -> Export:
    records = store.answers(dataset, policy.annotators)
    if not records:
        raise DataError(
            f"Nothing to export from {dataset!r}: nobody asked for has answered yet.",
            remedy="Label some pairs in Annotate.",
            field="dataset",
        )
    manifest = {
        "dataset": dataset,
        "shape": "answers",
        "policy": {"annotators": policy.annotators},
        "left_out": {},
        "answers": len(records),
        **_dates(store, dataset),
    }
    digest = _hash(["jsonl answers", records])

    def write(folder: Path) -> None:
        write_answers(records, images, folder)

    path = _freeze_files(workspace, name, "jsonl", digest, manifest, write)
    write_card(path)
    return Export(path, len(records), {}, answers=True)


def _dates(store: AnnotationStore, dataset: str) -> dict[str, object]:
    """When it was exported, and over which period people answered (seconds since the epoch)."""
    return {"exported_at": time.time(), "answered": store.team.answered(dataset)}


def export_name(dataset: str) -> str:
    """Make an export's name of a dataset's: `embedded:unlabelled` gives `embedded-unlabelled`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", dataset).strip("-._")[:60] or "preferences"


def explain(left_out: dict[str, int]) -> str:
    """Say the reasons in words: "3: no label yet, 1: only skipped"; empty when there are none."""
    return ", ".join(f"{number}: {REASONS[reason]}" for reason, number in left_out.items())


def _write(
    rows: list[Row], images: Images, workspace: Workspace, name: str, format: str, manifest: dict
) -> Path:
    shape = manifest["shape"]
    if format == "trl":
        from studio.data.frozen_dataset import freeze

        method: Method = "sft" if shape == "completions" else "dpo"
        share = manifest["evaluation_share"]
        return freeze(rows, name, workspace, manifest, method=method, evaluation_share=share)
    digest = _hash([f"{format} {shape}", *(plain_row(row) for row in rows)])

    def write(folder: Path) -> None:
        (write_ranked if shape == "ranked" else WRITERS[format])(rows, images, folder)

    return _freeze_files(workspace, name, format, digest, manifest, write)


def _freeze_files(
    workspace: Workspace,
    name: str,
    format: str,
    digest: str,
    manifest: dict,
    write: Callable[[Path], None],
) -> Path:
    """`exports/<name>-<hash>/` with what `write` puts there; the one that is there stays."""
    target = workspace.exports / f"{name}-{digest[:12]}"
    if target.exists():  # the hash is of its content: what is there is the same
        return target
    with building(target) as folder:
        write(folder)
        described = {"name": name, "format": format, "content_hash": digest, **manifest}
        if format == "csv":
            described["csv_cells"] = spreadsheet.VERSION
        write_json(folder / MANIFEST, described)
    return target


def _also(path: Path, manifest: dict) -> None:
    """Write down a rule that gives exactly the rows of an export that was made by another."""
    rule = ("policy", "left_out", "evaluation_share")
    rules = json.loads(json.dumps({name: manifest[name] for name in rule}))
    there = read_json(path / MANIFEST) or {}
    others = there.get("also_by", [])
    if rules in ({name: there.get(name) for name in rules}, *others):
        return
    write_json(path / MANIFEST, there | {"also_by": [*others, rules]})


def _hash(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check(
    name: str, format: str, policy: ExportPolicy, shape: str, evaluation_share: float
) -> None:
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
    if shape not in get_args(Shape) or (shape in LINES and format != "jsonl"):
        raise DataError(
            f"Answers of the shape {shape!r} cannot be exported as {format}.",
            remedy=f"Use one of: {', '.join(get_args(Shape))}; {' and '.join(LINES)} as jsonl.",
            field="shape",
        )
    if not 0 <= evaluation_share <= 0.9:
        raise DataError(
            "What is held out for evaluation is a share of the images.",
            remedy="Use 0 to 0.9.",
            field="evaluation_share",
        )
    if not 0 <= policy.minimum_agreement <= 1:
        raise DataError(
            "The agreement asked for is a share.", remedy="Use 0 to 1.", field="minimum_agreement"
        )
    if policy.minimum_votes < 1:
        raise DataError(
            "An answer needs at least one vote to be exported.",
            remedy="Use 1 or more.",
            field="minimum_votes",
        )


def _with_images(rows: Sequence[Row], images: Images) -> tuple[list[Row], int]:
    """The rows whose images are all there, and the number of the others."""

    @cache
    def there(sha: str) -> bool:
        try:
            images.path(sha)
        except NotFoundError:
            return False
        return True

    kept = [row for row in rows if all(map(there, row.images))]
    return kept, len(rows) - len(kept)


def _nothing(dataset: str, left_out: dict[str, int]) -> DataError:
    pairs = sum(left_out.values())
    if not pairs:
        return DataError(
            f"The dataset {dataset!r} has no pairs.",
            remedy="Import rows with two answers each, or sample answers from a model.",
            field="dataset",
        )
    return DataError(
        f"Nothing to export from {dataset!r}: of {pairs} pairs, {explain(left_out)}.",
        remedy="Label some pairs in Annotate, or include the preferences that were imported.",
        field="dataset",
    )
