"""Exported files: lossless, with their images, and readable again."""

from __future__ import annotations

import csv
import io
import json

import pytest
from PIL import Image

from studio.data.schema import Answer, Message, Part
from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export, pair, read_back


def test_jsonl_is_lossless_and_brings_its_images(labelled, images, workspace):
    made = export(labelled, workspace, format="jsonl")
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


def test_parquet_holds_the_images(labelled, images, workspace):
    import pyarrow.parquet as pq

    made = export(labelled, workspace, format="parquet")
    records = pq.read_table(made.path / "preferences.parquet").to_pylist()
    assert len(records) == 3
    assert Image.open(io.BytesIO(records[0]["images"][0]["bytes"])).size == (8, 8)


def test_csv_cells_are_never_formulas_and_read_back_as_they_were(store, images, workspace):
    evil = (Answer('=HYPERLINK("http://x")'), Answer("-1+1"))
    prompt = (Message("user", (Part("text", "'@home, it's '=1?"),)),)
    row = make_row(1, images=(), prompt=prompt, candidates=evil)
    store.add_rows("charts", [row])
    store.save(answer(store.claim("ana"), "ana"))
    made = export(store, workspace, format="csv")
    path = made.path / "preferences.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert {row["chosen"], row["rejected"]} == {'\'=HYPERLINK("http://x")', "'-1+1"}
    wanted = {pair(one) for one in store.preferences("charts")}
    assert {pair(one) for one in read_back(made, "csv", workspace)} == wanted
    (made.path / "manifest.json").unlink()  # somebody else's file keeps its apostrophes
    assert {pair(one) for one in read_back(made, "csv", workspace)} != wanted


@pytest.mark.parametrize("format", ["trl", "jsonl", "parquet"])
def test_what_was_exported_reads_back_as_the_same_pairs(labelled, images, workspace, format):
    made = export(labelled, workspace, format=format)
    rows = read_back(made, format, workspace)
    wanted = labelled.preferences("charts")
    assert {pair(row) for row in rows} == {pair(row) for row in wanted}
    assert {row.images for row in rows} == {row.images for row in wanted}


def test_an_older_csv_export_reads_back_by_the_rule_it_was_written_by(store, images, workspace):
    evil = (Answer("=1+1"), Answer("-3.5"))
    store.add_rows("charts", [make_row(1, images=(), candidates=evil)])
    store.save(answer(store.claim("ana"), "ana"))
    made = export(store, workspace, format="csv")
    path, manifest = made.path / "preferences.csv", made.path / "manifest.json"
    text = path.read_text(encoding="utf-8")
    assert ",-3.5," in text
    path.write_text(text.replace(",-3.5,", ",'-3.5,"), encoding="utf-8")
    known = json.loads(manifest.read_text(encoding="utf-8"))
    assert known.pop("csv_cells") == 2
    manifest.write_text(json.dumps(known), encoding="utf-8")
    (row,) = read_back(made, "csv", workspace)
    assert {row.chosen.text, row.rejected.text} == {"=1+1", "-3.5"}


def test_how_a_model_wrote_an_answer_is_exported_where_it_is_known(store, images, workspace):
    import pyarrow.parquet as pq

    how = {"model": "tiny", "seed": 3}
    rows = [
        make_row(1, images=(), candidates=(Answer("red", "a"), Answer("blue", "b"))),
        make_row(
            2, images=(), candidates=(Answer("red", "a", 2, how), Answer("blue", "a", 2, how))
        ),
    ]
    store.add_rows("charts", rows)
    for _ in rows:
        store.save(answer(store.claim("ana"), "ana"))
    lines = (export(store, workspace, format="jsonl").path / "preferences.jsonl").read_text("utf-8")
    given = [json.loads(line).get("chosen_decoding") for line in lines.splitlines()]
    assert given[0] is None and json.loads(given[1]) == {**how, "tokens": 2}
    table = pq.read_table(export(store, workspace, format="parquet").path / "preferences.parquet")
    assert table["chosen_decoding"].to_pylist() == given
    assert export(store, workspace, format="csv").not_held["decoding"] == 1
