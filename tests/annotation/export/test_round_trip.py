"""What was exported for another tool comes in again: the same pairs, labels and pictures."""

from __future__ import annotations

from typing import Any

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.export.kept_exports import archive
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.source_import import import_source
from studio.core.paths import Workspace
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from tests.annotation.conftest import answer
from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import read

FILES = {
    "trl": "",
    "jsonl": "preferences.jsonl",
    "parquet": "preferences.parquet",
    "argilla": "records.json",
    "label-studio": "tasks.json",
    "ms-swift": "preferences.jsonl",
    "llama-factory": "preferences.json",
    "openai": "preferences.jsonl",
}
BEST = {
    "jsonl": "preferences.jsonl",
    "ms-swift": "completions.jsonl",
    "llama-factory": "completions.json",
    "openai": "completions.jsonl",
}
SINGLE = {
    "jsonl": "preferences.jsonl",
    "ms-swift": "verdicts.jsonl",
    "llama-factory": "verdicts.json",
}


def read_again(made, file: str, workspace) -> list[Row]:
    spec = str(made.path / file) if file else made.source
    rows: list[Row] = []
    for split in open_source(spec, workspace=workspace).splits:
        for row in open_source(spec, split=split, workspace=workspace).rows():
            assert not isinstance(row, BadRow), row
            rows.append(row)
    return rows


def asked(row: Row) -> tuple[Any, ...]:
    """The conversation with its pictures where they stand."""
    turns = [(turn.role, *((part.type, part.text) for part in turn.parts)) for turn in row.prompt]
    return (tuple(turns), row.images)


def pair(row: Row) -> tuple[Any, ...]:
    chosen, rejected = row.preference
    return (*asked(row), chosen.text, rejected.text)


def labels(row: Row) -> set[tuple[Any, ...]]:
    said = ((one.annotator, one.winner and one.winner.text, one.given_at) for one in row.labels)
    return {(row.question, *one) for one in said}


@pytest.mark.parametrize("format", FILES)
def test_pairs_and_pictures_come_back(told, workspace, format):
    made = export(told, workspace, format=format)
    wanted = sorted(map(pair, told.preferences("charts")), key=repr)
    assert sorted(map(pair, read_again(made, FILES[format], workspace)), key=repr) == wanted


@pytest.mark.parametrize("format", FILES)
def test_the_downloaded_file_comes_back_as_it_is(told, workspace, tmp_path, format):
    made = export(told, workspace, format=format)
    packed = tmp_path / "download.zip"
    packed.write_bytes(b"".join(archive(made.path)))
    source = open_source(str(packed), workspace=workspace)
    rows = [
        row
        for split in source.splits
        for row in open_source(str(packed), split=split, workspace=workspace).rows()
    ]
    wanted = sorted(map(pair, told.preferences("charts")), key=repr)
    assert sorted(map(pair, rows), key=repr) == wanted


@pytest.mark.parametrize("format", ["label-studio", "argilla"])
def test_labels_come_back_with_who_gave_them_and_when(told, workspace, clock, format):
    made = export(told, workspace, format=format, shape="answers")
    found = [one for row in read_again(made, FILES[format], workspace) for one in labels(row)]
    assert sorted(found, key=repr) == sorted(
        [
            ("Which colour is the bar?", "ana", "The bar is red.", clock.now),
            ("Which colour is the bar?", "ben", "The bar is red.", clock.now),
            ("Which is warmer?", "ana", "The first.", clock.now),
            ("Which is warmer?", "ben", "The first.", clock.now),
            ("Say a colour.", "ana", "Seven", clock.now),
            ("Say a colour.", "ben", None, clock.now),
        ],
        key=repr,
    )


def test_the_full_export_brings_its_labels_into_another_workspace(told, workspace, tmp_path):
    told.team.change_settings("lea", "charts", {"overlap": 3})
    told.save(answer(told.claim("cho"), "cho", kind="skip"))
    made = export(told, workspace, format="jsonl", shape="answers")
    other = Workspace.locate(tmp_path / "other")
    store = AnnotationStore(other.database_url)
    report = import_source(str(made.path), other, store, name="charts", labels=True)
    again = export(store, other, format="jsonl", shape="answers")
    wanted = sorted(map(pair, told.preferences("charts")), key=repr)
    assert sorted(map(pair, store.preferences("charts")), key=repr) == wanted
    store.close()
    assert report.labels == Brought(added=7) and report.added == 3
    roles = {use.path: use.role for use in report.fields}
    assert {roles[name] for name in ("annotator", "kind", "preferred", "at")} == {"labels"}
    assert list(map(said, read(again, "answers.jsonl"))) == list(
        map(said, read(made, "answers.jsonl"))
    )


def said(record: dict[str, Any]) -> tuple[Any, ...]:
    better = record["preferred"]
    text = None if better is None else record["answers"][better]["text"]
    names = ("id", "question", "annotator", "kind", "comment", "at")
    return (*(record[name] for name in names), text)


@pytest.mark.parametrize("format", BEST)
def test_best_answers_come_back(told, workspace, format):
    made = export(told, workspace, format=format, shape="completions")
    found = read_again(made, BEST[format], workspace)
    wanted = [(*asked(row), row.preference[0].text) for row in told.preferences("charts")]
    assert sorted([(*asked(row), row.completion.text) for row in found], key=repr) == sorted(
        wanted, key=repr
    )


@pytest.mark.parametrize("format", SINGLE)
def test_bad_answers_never_come_back_as_good_ones(told, workspace, format):
    made = export(told, workspace, format=format, shape="verdicts")
    rows = read_again(made, SINGLE[format], workspace)
    good = {row.completion.text for row in rows if row.completion is not None}
    assert good == {"The bar is red.", "The first."}
    assert {row.meta["verdict"] for row in rows if row.completion is None} == {"bad"}
