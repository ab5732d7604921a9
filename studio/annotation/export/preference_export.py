"""From labels to a frozen dataset: what was labelled, by which rule, and what was left out."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from studio.annotation.export.export_contents import Contents, Images, without_names
from studio.annotation.export.export_shapes import completions, verdicts
from studio.annotation.export.format_losses import ALL_OF_LABELS, losses
from studio.annotation.export.formats.format_table import FILES, FORMATS, TRL, formats_of
from studio.annotation.export.hub_publish import write_card
from studio.annotation.export.label_policies import REASONS
from studio.annotation.records import ExportPolicy, ItemFilter, TiePolicy
from studio.annotation.store import AnnotationStore
from studio.config.export import EVALUATION_SHARE, LEAST_VOTES
from studio.config.run import Method
from studio.core import spreadsheet
from studio.core.errors import DataError, NotFoundError
from studio.core.paths import Workspace, building, read_json, write_json
from studio.core.plurals import counted
from studio.data.schema import Row, plain_row

__all__ = ["FORMATS", "Export", "Shape", "explain", "export_name", "export_preferences"]
Shape = Literal["preferences", "completions", "ranked", "answers", "verdicts"]
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        path: Its folder, `exports/<name>-<hash>`.
        rows: How many were exported.
        left_out: Pairs left out, by reason (`label_policies.REASONS`).
        answers: Whether the rows are what people said, or single answers; not pairs.
        format: Its name, of `FORMATS`.
        not_held: In how many rows there was something the format has no place for, by
            `format_losses.THINGS`.
    """

    path: Path
    rows: int
    left_out: dict[str, int]
    answers: bool = False
    format: str = TRL
    not_held: dict[str, int] = field(default_factory=dict)

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
    format: str = TRL,
    include_imported: bool = False,
    shape: Shape = "preferences",
    evaluation_share: float = EVALUATION_SHARE,
    anonymous: bool = False,
    **more: Any,
) -> Export:
    """Freeze what people decided about `dataset` below `exports/`.

    Args:
        format: "trl" is what the studio trains on; the others (`format_table`) are for other tools.
        shape: "preferences" (DPO), "completions" (SFT: ideal answers, edits, else the chosen
            one), "ranked" (all answers of an item in order), "answers" (what each person said,
            ties, skips, marks and comments too) or "verdicts" (single answers, good or bad).
        evaluation_share: Share of the images held out (format "trl").
        anonymous: With numbers instead of people's names.
        tie_policy, minimum_votes, include_imported, more: See `ExportPolicy`.

    Raises:
        DataError: A setting is unusable, or there is nothing to export; nothing was written.
        NotFoundError: There is no such dataset.
    """
    policy = ExportPolicy(tie_policy, minimum_votes, include_imported, **more)
    _check(name, format, policy, shape, evaluation_share)
    gathered = _answered if shape == "answers" else _decided
    contents, left_out = gathered(store, images, dataset, name, policy, shape, format)
    if anonymous:
        contents = without_names(contents)
        people = f"{counted(len(policy.annotators), 'person', 'people')} without their names"
        policy = replace(policy, annotators=(people,) if policy.annotators else ())
    said = shape == "answers"
    rows = len(contents.records if said else contents.rows)
    rule = {"annotators": policy.annotators} if said else asdict(policy)
    manifest = {
        "dataset": dataset,
        "shape": shape,
        "policy": rule,
        "left_out": left_out,
        "answers" if said else "pairs": rows,
        "evaluation_share": evaluation_share if format == TRL else 0.0,
        **({"anonymous": True} if anonymous else {}),
        **_dates(store, dataset),
    }
    path, not_held = _write(contents, images, workspace, format, manifest)
    _also(path, manifest)
    write_card(path)
    return Export(path, rows, left_out, said or shape == "verdicts", format, not_held)


def _decided(
    store: AnnotationStore,
    images: Images,
    dataset: str,
    name: str,
    policy: ExportPolicy,
    shape: str,
    format: str,
) -> tuple[Contents, dict[str, int]]:
    """What the rule decided, in the shape asked for, and how many pairs it left out and why."""
    decided = store.decided_preferences(dataset, policy)
    rows, left_out = decided.rows, Counter(decided.left_out)
    with_labels = format in FILES and "labels" in FILES[format].holds
    records = []
    if with_labels or shape == "verdicts":
        records = store.answers(dataset, policy.annotators)
    if shape == "completions":
        rows, left_out["circular"] = completions(rows)
    elif shape == "verdicts":
        where = ItemFilter(dataset=dataset, excluded=False)
        rows, changed = verdicts(rows, records, store.every(where))
        left_out.update(changed)
    rows = _usable(rows, images, format, left_out)
    found = {reason: count for reason, count in left_out.items() if count > 0}
    if not rows:
        raise _nothing(dataset, found)
    pairs = {row.meta.get("pair") for row in rows}
    kept = tuple(said for said in records if with_labels and said["pair"] in pairs)
    return Contents(name, shape, tuple(rows), kept), found


def _answered(
    store: AnnotationStore,
    images: Images,
    dataset: str,
    name: str,
    policy: ExportPolicy,
    shape: str,
    format: str,
) -> tuple[Contents, dict[str, int]]:
    """What each person said, with the pairs of it."""
    records = store.answers(dataset, policy.annotators)
    if not records:
        raise DataError(
            f"Nothing to export from {dataset!r}: nobody asked for has answered yet.",
            remedy="Label some pairs in Annotate.",
            field="dataset",
        )
    left_out: Counter[str] = Counter()
    rows = list(_pairs(store, dataset, {said["pair"] for said in records}))
    if format != "jsonl":  # whose records say the sha256 of an image that is gone
        rows = _usable(rows, images, format, left_out)
        pairs = {row.meta["pair"] for row in rows}
        records = [said for said in records if said["pair"] in pairs]
    if not records:
        raise _nothing(dataset, left_out)
    return Contents(name, shape, tuple(rows), tuple(records)), dict(left_out)


def _pairs(store: AnnotationStore, dataset: str, wanted: set[int]) -> Iterator[Row]:
    """Yield pairs as rows with two candidates; several of one item have names of their own."""
    for item in store.every(ItemFilter(dataset=dataset, excluded=False)):
        pairs = [pair for pair in item.pairs if pair.id in wanted]
        answers = {one.id: one.answer for one in item.candidates}
        for pair in pairs:
            more = f"#{pair.id}" if len(pairs) > 1 else ""
            yield Row(
                f"{item.external_id}{more}",
                item.images,
                item.prompt,
                candidates=(answers[pair.first_id], answers[pair.second_id]),
                meta={**item.meta, "votes": pair.votes, "pair": pair.id},
            )


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
    contents: Contents, images: Images, workspace: Workspace, format: str, manifest: dict
) -> tuple[Path, dict[str, int]]:
    """Write the files, or find those that are there; also return what they do not hold."""
    if format == TRL:
        from studio.data.frozen_dataset import freeze

        method: Method = "sft" if contents.shape == "completions" else "dpo"
        share, rows = manifest["evaluation_share"], list(contents.rows)
        path = freeze(
            rows, contents.name, workspace, manifest, method=method, evaluation_share=share
        )
        return path, {}
    written = FILES[format]
    own = written.holds | (ALL_OF_LABELS if format == "jsonl" and contents.records else frozenset())
    not_held = losses(contents, own)
    digest = _digest(contents, format)
    target = workspace.exports / f"{contents.name}-{digest[:12]}"
    if target.exists():  # the hash is of its content: what is there is the same
        return target, not_held
    with building(target) as folder:
        written.write(contents, images, folder)
        described = {"name": contents.name, "format": format, "content_hash": digest, **manifest}
        if written.version:
            described["format_version"] = written.version
        if not_held:
            described["not_held"] = not_held
        if format == "csv":
            described["csv_cells"] = spreadsheet.VERSION
        write_json(folder / MANIFEST, described)
    return target, not_held


def _digest(contents: Contents, format: str) -> str:
    """Hash what is written: the same rows and labels have the same folder in every version."""
    records = list(contents.records)
    if format == "jsonl" and contents.shape == "answers":
        return _hash(["jsonl answers", records])
    return _hash([f"{format} {contents.shape}", *map(plain_row, contents.rows), *records])


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
    if format not in formats_of(shape):
        held = [name for name in get_args(Shape) if format in formats_of(name)]
        others = ", ".join(formats_of(shape))
        raise DataError(
            f"Answers of the shape {shape!r} cannot be exported as {format}.",
            remedy=f"Export {shape} as: {others}. As {format}: {', '.join(held)}."
            if others
            else f"Use one of: {', '.join(get_args(Shape))}.",
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


def _usable(rows: Sequence[Row], images: Images, format: str, left_out: Counter[str]) -> list[Row]:
    """The rows whose images are all there, and which the format takes; counts the others."""

    @cache
    def there(sha: str) -> bool:
        try:
            images.path(sha)
        except NotFoundError:
            return False
        return True

    kept = []
    for row in rows:
        reason = "" if all(map(there, row.images)) else "no_image"
        if not reason and format in FILES:
            reason = FILES[format].refuses(row, images)
        if reason:
            left_out[reason] += 1
        else:
            kept.append(row)
    return kept


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
