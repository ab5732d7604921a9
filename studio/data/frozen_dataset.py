"""Freezing rows: parquet files and a manifest, named by the hash of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from studio.core.errors import DataError
from studio.core.paths import Workspace, building, link_or_copy, read_json, write_json
from studio.data.image_split import split_by_image
from studio.data.image_store import ImageStore
from studio.data.manifest import IMAGES, LIBRARY_SPEC, MANIFEST, TRL, list_exports
from studio.data.schema import Row, plain_row
from studio.data.trl_conversion import unusable
from studio.data.trl_format import ANSWERS, Method, answer_messages, features, prompt_messages

__all__ = ["freeze", "freeze_splits", "list_exports"]
ROWS_PER_GROUP = 50


def freeze(
    rows: Sequence[Row],
    name: str,
    workspace: Workspace,
    manifest_extra: Mapping[str, object] | None = None,
    *,
    method: Method | None = None,
    evaluation_share: float = 0.1,
) -> Path:
    """Write `exports/<name>-<hash>/` with train.parquet, evaluation.parquet and manifest.json.

    The files are TRL-ready (images included) and `open_source("exports/<name>")` reads the same
    rows back. Freezing the same rows again returns the folder that is there.

    Args:
        manifest_extra: What else to write down: sources, policy, ….
        method: What the rows are to train; None: `dpo` when they hold preferences.
        evaluation_share: Share of the images held out, by image (0: none).

    Raises:
        DataError: There are no rows, or one cannot be trained on.
    """
    train, evaluation = split_by_image(rows, evaluation_share)
    splits = {"train": train, "evaluation": evaluation} if evaluation else {"train": train}
    return freeze_splits(splits, name, workspace, manifest_extra, method=method)


def freeze_splits(
    splits: Mapping[str, Sequence[Row]],
    name: str,
    workspace: Workspace,
    manifest_extra: Mapping[str, object] | None = None,
    *,
    method: Method | None = None,
) -> Path:
    """Freeze the rows of each split into a parquet file of its own; see `freeze`.

    The copy that a run makes of library rows for itself (its manifest has `LIBRARY_SPEC`) holds no
    image bytes: its images are links to those of the workspace, named by their sha256. So a freeze
    before every run costs no disk, and what reads it hashes nothing.
    """
    rows = [row for members in splits.values() for row in members]
    method = method or ("dpo" if any(row.chosen for row in rows) else "sft")
    images = ImageStore(workspace)
    _check(rows, method, images)
    digest = _content_hash(splits, method)
    target = workspace.exports / f"{_slug(name)}-{digest[:10]}"
    manifest: dict[str, object] = {
        **(manifest_extra or {}),
        "name": _slug(name),
        "format": TRL,
        "method": method,
        "rows": {split: len(members) for split, members in splits.items()},
        "images": len({sha for row in rows for sha in row.images}),
        "content_hash": digest,
        "created_at": time.time(),
    }
    automatic = LIBRARY_SPEC in manifest
    there = read_json(target / MANIFEST)
    if there is None:
        with building(target) as folder:
            _write_splits(folder, splits, method, images, linked=automatic)
            write_json(folder / MANIFEST, manifest)
    elif LIBRARY_SPEC in there and not automatic:
        # Somebody wants it now, so it is theirs and has to be readable elsewhere. The links stay:
        # a run that has begun on it may have their names.
        _write_splits(target, splits, method, images, linked=False)
        write_json(target / MANIFEST, manifest)
    return target


def _check(rows: Sequence[Row], method: Method, images: ImageStore) -> None:
    if not rows:
        raise DataError(
            "There are no rows to freeze.", remedy="Label some pairs first.", field="dataset"
        )
    for row in rows:
        reason = unusable(row, method, images)
        if reason:
            raise DataError(
                f"Row {row.external_id!r} cannot be trained on: {reason}.",
                remedy="Leave it out or correct it.",
                field="dataset",
            )


def _write_splits(
    folder: Path,
    splits: Mapping[str, Sequence[Row]],
    method: Method,
    images: ImageStore,
    *,
    linked: bool,
) -> None:
    for split, rows in splits.items():
        path = folder / f"{split}.parquet"
        # A reader finds the old file or the new one, never half of it.
        building = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        _write_parquet(building, rows, method, images, linked)
        building.replace(path)
    if linked:
        for sha in {sha for rows in splits.values() for row in rows for sha in row.images}:
            link_or_copy(images.path(sha), folder / IMAGES / images.path(sha).name)


def _write_parquet(
    path: Path, rows: Sequence[Row], method: Method, images: ImageStore, linked: bool
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features, Value

    names = ("id", *(f"{answer}_author" for answer in ANSWERS[method]), "meta")
    weights = any(not message.scored for row in rows for message in row.prompt)
    columns = features(method, decode=True, weights=weights)
    types = Features({**columns, **{name: Value("string") for name in names}})
    schema = types.arrow_schema
    remaining = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(remaining, ROWS_PER_GROUP)):
            records = [_record(row, method, images, linked) for row in group]
            for record, row in zip(records, group, strict=True):
                for turn, message in zip(record["prompt"], row.prompt, strict=True):
                    turn |= {"weight": int(message.scored)} if weights else {}
            writer.write_table(pa.Table.from_pylist(records, schema=schema))


def _record(row: Row, method: Method, images: ImageStore, linked: bool) -> dict[str, Any]:
    files = [images.path(sha) for sha in row.images]
    record: dict[str, Any] = {
        "images": [
            {"bytes": None, "path": f"{IMAGES}/{file.name}"}
            if linked
            else {"bytes": file.read_bytes(), "path": None}
            for file in files
        ],
        "prompt": prompt_messages(row),
        "id": row.external_id,
        "meta": json.dumps(row.meta, ensure_ascii=False),
    }
    given = {
        "completion": row.completion or row.chosen,
        "chosen": row.chosen,
        "rejected": row.rejected,
    }
    for name in ANSWERS[method]:
        answer = given[name]
        if answer is None:  # `unusable` leaves such rows out before
            raise DataError(f"no {name} answer")
        record[name] = answer_messages(answer)
        record[f"{name}_author"] = answer.author
    return record


def _content_hash(splits: Mapping[str, Sequence[Row]], method: Method) -> str:
    content = {split: [plain_row(row) for row in rows] for split, rows in splits.items()}
    text = json.dumps([method, content], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _slug(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80]
    if not slug:
        raise DataError(
            f"{name[:80]!r} cannot be the name of an export.",
            remedy="Use letters, digits, dots, dashes and underscores.",
            field="name",
        )
    return slug
