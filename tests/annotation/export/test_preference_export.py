"""Exports of labels: by which rule, under which name, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from studio.annotation import ItemFilter, TextChange
from studio.annotation.export.export_shapes import completions
from studio.annotation.export.preference_export import explain
from studio.core.errors import DataError, NotFoundError
from studio.data.schema import Answer, Message, Part
from studio.data.sources import open_source
from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export, read_back


def test_the_same_labels_give_the_same_export(labelled, workspace):
    first = export(labelled, workspace, format="jsonl")
    assert export(labelled, workspace, format="jsonl") == first
    labelled.undo("ana")
    labelled.save(answer(labelled.claim("ana"), "ana"))
    assert export(labelled, workspace, format="jsonl").path != first.path


def test_nothing_to_export_says_why_and_what_to_do(store, images, workspace):
    store.add_rows("charts", [make_row(n) for n in range(2)])
    store.save(answer(store.claim("ana"), "ana", kind="tie"))
    with pytest.raises(DataError, match="of 2 pairs, 1: a tie") as caught:
        export(store, workspace)
    assert "Label some pairs" in caught.value.remedy
    assert list(workspace.exports.iterdir()) == []


@pytest.mark.parametrize("format", ["trl", "jsonl", "parquet"])
def test_what_cannot_be_learned_from_is_left_out_and_counted(labelled, images, workspace, format):
    flawed = {
        "no_image": make_row(7, images=("cd" * 32,)),
        "empty": make_row(8, images=(), candidates=(Answer(" ", "a"), Answer("some", "b"))),
        "same_text": make_row(9, images=(), candidates=(Answer("one", "a"), Answer("two", "b"))),
    }
    for row in flawed.values():
        chosen, rejected = row.candidates
        labelled.add_rows("charts", [replace(row, chosen=chosen, rejected=rejected, candidates=())])
    [same] = labelled.browse(ItemFilter(search="row-9"))
    edited = same.candidates[1].id
    labelled.edit(TextChange(same.id, edited, same.revision, "one ", "lea"))

    made = export(labelled, workspace, format=format, include_imported=True)

    assert {name: made.left_out.get(name) for name in flawed} == dict.fromkeys(flawed, 1)
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert manifest["left_out"] == made.left_out
    assert made.rows == len(read_back(made, format, workspace)) == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "../up"}, "name"),
        ({"name": ""}, "name"),
        ({"format": "xlsx"}, "format"),
        ({"tie_policy": "random"}, "tie_policy"),
        ({"minimum_votes": 0}, "minimum_votes"),
    ],
)
def test_unusable_settings_are_refused(store, workspace, changes, field):
    with pytest.raises(DataError) as caught:
        export(store, workspace, **changes)
    assert caught.value.field == field
    assert list(workspace.exports.iterdir()) == []


def test_an_unknown_dataset(store, images, workspace):
    with pytest.raises(NotFoundError, match="no dataset 'charts'"):
        export(store, workspace)


def test_reasons_are_said_in_words():
    assert explain({"tied": 2}) == "2: a tie, or as many votes for each"
    assert explain({}) == ""


@pytest.mark.parametrize("format", ["trl", "jsonl", "csv", "parquet"])
def test_completions_read_back(voted, workspace, format):
    made = export(voted, workspace, shape="completions", format=format)
    assert made.rows == 6
    spec = made.source if format == "trl" else str(next(made.path.glob(f"*.{format}")))
    found = [
        one.completion.text
        for split in open_source(spec, workspace=workspace).splits
        for one in open_source(spec, split=split, workspace=workspace).rows()
    ]
    wanted, _ = completions(voted.preferences("charts"))
    assert sorted(found) == sorted(one.completion.text for one in wanted)


def test_ranked_answers_and_the_manifest(voted, workspace):
    made = export(voted, workspace, shape="ranked", format="jsonl", minimum_agreement=0.8)
    lines = (made.path / "ranked.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert [one["wins"] for one in json.loads(lines[0])["answers"]] == [1, 0]
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert manifest["policy"]["minimum_agreement"] == 0.8
    assert manifest["shape"] == "ranked"
    assert len(manifest["content_hash"]) == 64
    assert "less agreement than asked for" in (made.path / "README.md").read_text("utf-8")


@pytest.mark.parametrize("format", ["trl", "jsonl"])
def test_another_rule_for_the_same_rows_is_written_down_too(voted, workspace, format):
    first = export(voted, workspace, format=format)
    for _ in range(2):
        assert export(voted, workspace, format=format, minimum_votes=2).path == first.path
    manifest = json.loads((first.path / "manifest.json").read_text("utf-8"))
    assert manifest["policy"]["minimum_votes"] == 1
    assert [one["policy"]["minimum_votes"] for one in manifest["also_by"]] == [2]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shape": "ranked"}, "shape"),
        ({"shape": "answers", "format": "csv"}, "shape"),
        ({"evaluation_share": 1.0}, "evaluation_share"),
        ({"shape": "best"}, "shape"),
        ({"minimum_agreement": 1.5}, "minimum_agreement"),
    ],
)
def test_what_cannot_be_exported(store, workspace, changes, field):
    with pytest.raises(DataError) as caught:
        export(store, workspace, **changes)
    assert caught.value.field == field


def test_an_export_stays_as_it_was_frozen_when_rows_are_updated(store, images, workspace):
    prompt = (Message("user", (Part("text", "Which?"),)),)
    row = make_row(1, images=(), prompt=prompt, candidates=())
    row = replace(row, chosen=Answer("yes"), rejected=Answer("no"))
    store.add_rows("charts", [row])
    made = export(store, workspace, format="jsonl", include_imported=True)
    before = {path.name: path.read_bytes() for path in made.path.iterdir() if path.is_file()}
    with store.importing("charts", on_change="update") as batch:
        batch.add(replace(row, chosen=Answer("no"), rejected=Answer("yes")))
    after = {path.name: path.read_bytes() for path in made.path.iterdir() if path.is_file()}
    assert after == before
    (kept,) = read_back(made, "jsonl", workspace)
    assert kept.chosen.text == "yes"
    newer = export(store, workspace, format="jsonl", include_imported=True)
    assert newer.path != made.path
    (now,) = read_back(newer, "jsonl", workspace)
    assert now.chosen.text == "no"
