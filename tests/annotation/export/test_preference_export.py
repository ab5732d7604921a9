"""What the labels add up to, and the files it becomes."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from studio.annotation import ExportPolicy, ItemFilter, TextChange
from studio.annotation.export.label_policies import Verdict, decide
from studio.annotation.export.preference_export import explain, export_preferences
from studio.core.errors import DataError, NotFoundError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part
from studio.data.sources import open_source
from tests.annotation.conftest import answer, make_row


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def images(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture
def labelled(store, images):
    """Six pairs: three chosen (left), a tie, a skip, one unlabelled."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    sha = images.add(buffer.getvalue())
    store.add_rows("charts", [make_row(n, images=(sha,)) for n in range(6)])
    for kind in ("choose", "choose", "choose", "tie", "skip"):
        store.save(answer(store.claim("ana"), "ana", kind=kind))
    return store


@pytest.mark.parametrize(
    ("votes", "policy", "verdict"),
    [
        ({}, {}, Verdict(reason="unlabelled")),
        ({"skip": 2}, {}, Verdict(reason="skipped")),
        ({"unsure": 1}, {}, Verdict(reason="skipped")),
        ({1: 1}, {}, Verdict(1, 1)),
        ({1: 2, 2: 1}, {}, Verdict(1, 2)),
        ({1: 1, 2: 1}, {}, Verdict(reason="tied")),
        ({1: 1, "tie": 1}, {}, Verdict(reason="tied")),
        ({1: 1, "tie": 1}, {"ties": "ignore"}, Verdict(1, 1)),
        ({1: 2, 2: 1, "both_bad": 1}, {}, Verdict(reason="tied")),
        ({1: 2, 2: 1, "both_bad": 1}, {"ties": "ignore"}, Verdict(1, 2)),
        ({"both_good": 3}, {"ties": "ignore"}, Verdict(reason="tied")),
        ({1: 1, "skip": 4}, {}, Verdict(1, 1)),
        ({1: 1}, {"minimum_votes": 2}, Verdict(reason="too_few_votes")),
        ({1: 3}, {"minimum_votes": 2}, Verdict(1, 3)),
    ],
)
def test_majority(votes, policy, verdict):
    assert decide(Counter(votes), ExportPolicy(**policy)) == verdict


def test_the_chosen_answer_is_the_one_that_was_clicked_whatever_its_side(store):
    store.add_rows("charts", [make_row(n) for n in range(30)])
    wanted = {}
    while card := store.claim("ana"):
        side = "left" if card.left.text.startswith("the red") else "right"
        store.save(answer(card, "ana", side))
        wanted[card.question] = getattr(card, side).text
    rows = store.preferences("charts")
    assert {row.question: row.chosen.text for row in rows} == wanted
    assert all(row.rejected.text.startswith("blue") for row in rows)
    assert {row.chosen.author for row in rows} == {"model-a"}


def test_an_undone_answer_is_not_exported(store):
    store.add_rows("charts", [make_row(1)])
    store.save(answer(store.claim("ana"), "ana"))
    store.undo("ana")
    assert store.preferences("charts") == []


def test_imported_preferences_only_when_asked_and_a_person_overrules_them(store):
    row = make_row(1, candidates=(), chosen=Answer("yes"), rejected=Answer("no"))
    store.add_rows("charts", [row])
    included = ExportPolicy(include_imported=True)
    assert store.preferences("charts") == []
    assert store.preferences("charts", included)[0].chosen.text == "yes"
    card = store.claim("ana")
    side = "left" if card.left.text == "no" else "right"
    store.save(answer(card, "ana", side))
    assert store.preferences("charts", included)[0].chosen.text == "no"


def test_several_pairs_of_an_item_get_ids_of_their_own(store):
    three = make_row(1, candidates=(Answer("a"), Answer("b"), Answer("c")))
    store.add_rows("charts", [three])
    while card := store.claim("ana"):
        store.save(answer(card, "ana"))
    assert len({row.external_id for row in store.preferences("charts")}) == 3


def test_jsonl_is_lossless_and_brings_its_images(labelled, images, workspace):
    made = export(labelled, images, workspace, format="jsonl")
    lines = (made.path / "preferences.jsonl").read_text("utf-8").splitlines()
    record = json.loads(lines[0])
    assert len(lines) == made.rows == 3
    assert made.left_out == {"tied": 1, "skipped": 1, "unlabelled": 1}
    assert record["prompt"][0]["content"][0] == {"type": "image"}
    assert record["chosen"][0]["content"][0]["text"]
    assert (made.path / record["images"][0]).is_file()
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert manifest["policy"]["ties"] == "drop"
    assert manifest["left_out"] == made.left_out


def test_the_same_labels_give_the_same_export(labelled, images, workspace):
    first = export(labelled, images, workspace, format="jsonl")
    assert export(labelled, images, workspace, format="jsonl") == first
    labelled.undo("ana")
    labelled.save(answer(labelled.claim("ana"), "ana"))
    assert export(labelled, images, workspace, format="jsonl").path != first.path


def test_parquet_holds_the_images(labelled, images, workspace):
    import pyarrow.parquet as pq

    made = export(labelled, images, workspace, format="parquet")
    records = pq.read_table(made.path / "preferences.parquet").to_pylist()
    assert len(records) == 3
    assert Image.open(io.BytesIO(records[0]["images"][0]["bytes"])).size == (8, 8)


def test_csv_cells_are_never_formulas_and_read_back_as_they_were(store, images, workspace):
    evil = (Answer('=HYPERLINK("http://x")'), Answer("-1+1"))
    prompt = (Message("user", (Part("text", "'@home, it's '=1?"),)),)
    row = make_row(1, images=(), prompt=prompt, candidates=evil)
    store.add_rows("charts", [row])
    store.save(answer(store.claim("ana"), "ana"))
    made = export(store, images, workspace, format="csv")
    path = made.path / "preferences.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert {row["chosen"], row["rejected"]} == {'\'=HYPERLINK("http://x")', "'-1+1"}
    wanted = {pair(one) for one in store.preferences("charts")}
    assert {pair(one) for one in read_back(made, "csv", workspace)} == wanted
    (made.path / "manifest.json").unlink()  # somebody else's file keeps its apostrophes
    assert {pair(one) for one in read_back(made, "csv", workspace)} != wanted


def read_back(made, format: str, workspace: Workspace) -> list:
    spec = made.source if format == "trl" else str(made.path / f"preferences.{format}")
    splits = open_source(spec, workspace=workspace).splits
    return [
        row
        for split in splits
        for row in open_source(spec, split=split, workspace=workspace).rows()
    ]


@pytest.mark.parametrize("format", ["trl", "jsonl", "parquet"])
def test_what_was_exported_reads_back_as_the_same_pairs(labelled, images, workspace, format):
    made = export(labelled, images, workspace, format=format)
    rows = read_back(made, format, workspace)
    wanted = labelled.preferences("charts")
    assert {pair(row) for row in rows} == {pair(row) for row in wanted}
    assert {row.images for row in rows} == {row.images for row in wanted}


def test_an_older_csv_export_reads_back_by_the_rule_it_was_written_by(store, images, workspace):
    evil = (Answer("=1+1"), Answer("-3.5"))
    store.add_rows("charts", [make_row(1, images=(), candidates=evil)])
    store.save(answer(store.claim("ana"), "ana"))
    made = export(store, images, workspace, format="csv")
    path, manifest = made.path / "preferences.csv", made.path / "manifest.json"
    text = path.read_text(encoding="utf-8")
    assert ",-3.5," in text
    path.write_text(text.replace(",-3.5,", ",'-3.5,"), encoding="utf-8")
    known = json.loads(manifest.read_text(encoding="utf-8"))
    assert known.pop("csv_cells") == 2
    manifest.write_text(json.dumps(known), encoding="utf-8")
    (row,) = read_back(made, "csv", workspace)
    assert {row.chosen.text, row.rejected.text} == {"=1+1", "-3.5"}


def test_nothing_to_export_says_why_and_what_to_do(store, images, workspace):
    store.add_rows("charts", [make_row(n) for n in range(2)])
    store.save(answer(store.claim("ana"), "ana", kind="tie"))
    with pytest.raises(DataError, match="of 2 pairs, 1: a tie") as caught:
        export(store, images, workspace)
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

    made = export(labelled, images, workspace, format=format, include_imported=True)

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
def test_unusable_settings_are_refused(labelled, images, workspace, changes, field):
    with pytest.raises(DataError) as caught:
        export(labelled, images, workspace, **changes)
    assert caught.value.field == field
    assert list(workspace.exports.iterdir()) == []


def test_an_unknown_dataset(store, images, workspace):
    with pytest.raises(NotFoundError, match="no dataset 'charts'"):
        export(store, images, workspace)


def test_reasons_are_said_in_words():
    assert explain({"tied": 2}) == "2: a tie, or as many votes for each"
    assert explain({}) == ""


def pair(row) -> tuple[str, str, str]:
    return row.question, row.chosen.text, row.rejected.text


def export(store, images, workspace, **changes):
    settings = {"dataset": "charts", "name": "mine"} | changes
    return export_preferences(store, images, workspace, **settings)
