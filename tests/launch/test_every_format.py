"""Every known format, in every container that can hold it, imports and trains without a mapping."""

from __future__ import annotations

import csv
import io
import json
import uuid
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from studio.annotation import AnnotationStore, ItemFilter, LabelEvent
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.sources import import_source, preview_source
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.schema import Answer, Message, Part, Row
from studio.data.trl_conversion import load_training_data
from tests.launch.format_records import FORMATS, GEOPERCEPTION, IMAGE, RLAIF, SAID, TRL_IMAGE, VQAV2
from tests.places import SHARED


def as_jsonl(record: dict, folder: Path) -> None:
    (folder / "rows.jsonl").write_text(json.dumps(record) + "\n")


def as_json(record: dict, folder: Path) -> None:
    (folder / "rows.json").write_text(json.dumps({"data": [record]}))


def embedded(record: dict, folder: Path) -> pa.Table:
    """The record with its images inside, as hub datasets have them."""

    def inside(name: str) -> dict:
        return {"bytes": (folder / name).read_bytes(), "path": name}

    held = dict(record)
    if "image" in held:
        held["image"] = inside(held["image"])
    else:
        held["images"] = [inside(name) for name in held["images"]]
    return pa.Table.from_pylist([held])


def as_parquet(record: dict, folder: Path) -> None:
    pq.write_table(embedded(record, folder), folder / "rows.parquet")


def as_arrow(record: dict, folder: Path) -> None:
    table = embedded(record, folder)
    with (
        pa.OSFile(str(folder / "rows.arrow"), "wb") as out,
        pa.ipc.new_stream(out, table.schema) as writer,
    ):
        writer.write_table(table)


def as_zip(record: dict, folder: Path) -> None:
    with zipfile.ZipFile(folder / "rows.zip", "w") as packed:
        packed.writestr("set/rows.jsonl", json.dumps(record))
        for path in folder.glob("*.png"):
            packed.write(path, f"set/{path.name}")


CONTAINERS = {
    "rows.jsonl": as_jsonl,
    "rows.json": as_json,
    "rows.parquet": as_parquet,
    "rows.arrow": as_arrow,
    "rows.zip": as_zip,
}


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "given"
    place.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        buffer = io.BytesIO()
        Image.new("RGB", (6, 4), colour).save(buffer, "PNG")
        (place / f"{name}.png").write_bytes(buffer.getvalue())
    return place


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", FORMATS)
def test_formats_import_from_every_container_as_the_same_row(name, folder, workspace, store):
    (recognised, record), seen = FORMATS[name], []
    for file, write in CONTAINERS.items():
        write(record, folder)
        path = str(folder / file)
        preview = preview_source(path, workspace)
        assert preview.recognised_as == recognised and len(preview.first) == 1, file
        report = import_source(path, workspace, store, name=file)
        assert (report.added, report.bad_count) == (1, 0), (file, report.bad)
        (item,) = store.browse(ItemFilter(dataset=file))
        texts = [candidate.text for candidate in item.candidates]
        seen.append((item.images, item.prompt, texts, len(item.pairs)))
    assert all(found == seen[0] for found in seen)
    assert len(seen[0][0]) == len(images_of(record)) and seen[0][3] == ("chosen" in record)


def images_of(record: dict) -> list[str]:
    return record["images"] if "images" in record else [record["image"]]


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_trained_on_without_a_mapping(name, folder, workspace):
    _, record = FORMATS[name]
    as_jsonl(record, folder)
    method = "dpo" if "chosen" in record else "sft"
    source = str(folder / "rows.jsonl")
    data, _ = load_training_data(source=source, method=method, workspace=workspace)
    assert (data.used, data.skipped) == (1, [])
    row = data.dataset[0]
    answers = ("chosen", "rejected") if method == "dpo" else ("completion",)
    assert set(row) == {"images", "prompt", *answers}
    parts = [part for turn in row["prompt"] for part in turn["content"]]
    places = [part for part in parts if part["type"] == "image"]
    assert places == [{"type": "image"}] * len(row["images"])
    assert [image.size for image in row["images"]] == [(6, 4)] * len(images_of(record))
    assert row["prompt"][-1]["role"] == "user"
    assert any(part.get("text") for part in parts) and not any(
        "<image>" in part.get("text", "") for part in parts
    )
    for answer in answers:
        (turn,) = row[answer]
        assert turn["role"] == "assistant" and turn["content"][0]["text"].strip()


@pytest.mark.parametrize(("file", "mark"), [("rows.csv", ","), ("rows.tsv", "\t")])
@pytest.mark.parametrize("record", [VQAV2, GEOPERCEPTION, RLAIF, TRL_IMAGE, {**IMAGE, **SAID}])
def test_flat_formats_import_from_delimited_files(record, file, mark, folder, workspace, store):
    with (folder / file).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(record), delimiter=mark)
        writer.writeheader()
        writer.writerow(record)
    report = import_source(str(folder / file), workspace, store)
    assert (report.added, report.bad_count) == (1, 0)


def test_a_folder_of_images_with_captions_and_with_metadata(folder, workspace, store):
    (folder / "a.txt").write_text("a red card")
    assert import_source(str(folder), workspace, store, name="captions").added == 2
    assert store.count(ItemFilter(search="red card")) == 1
    (folder / "metadata.csv").write_text("file_name,text\nb.png,a blue card\n")
    assert import_source(str(folder), workspace, store, name="metadata").added == 1
    (item,) = store.browse(ItemFilter(dataset="metadata"))
    assert item.candidates[0].text == "a blue card"


def test_anything_else_imports_with_a_mapping(folder, workspace, store):
    (folder / "odd.jsonl").write_text(
        json.dumps({"bild": "a.png", "frage": "Was?", "gut": "ja", "schlecht": "nein"})
    )
    path = str(folder / "odd.jsonl")
    with pytest.raises(DataError, match="No column was recognised"):
        preview_source(path, workspace)
    columns = {"image": "bild", "question": "frage", "chosen": "gut", "rejected": "schlecht"}
    assert import_source(path, workspace, store, columns=columns).added == 1


def test_all_splits_at_once_keep_their_names(folder, workspace, store):
    for split in ("train", "test"):
        record = {"id": 1, "image": "a.png", "question": f"{split}?", "answer": "a"}
        (folder / f"{split}.jsonl").write_text(json.dumps(record) + "\nbroken\n")
    report = import_source(str(folder), workspace, store, split="all")
    assert report.added == 2 and report.bad_count == 2
    assert store.facets().splits == ("test", "train")
    assert [item.question for item in store.browse(ItemFilter(split="test"))] == ["test?"]
    assert any("(split t" in bad.reason for bad in report.bad)


def other_workspace(tmp_path, folder) -> Workspace:
    other = Workspace.locate(tmp_path / "other? 100%20 #1")
    theirs = AnnotationStore(other.database_url)
    (folder / "pairs.jsonl").write_text(
        "\n".join(json.dumps({**TRL_IMAGE, "prompt": f"Which {n}?"}) for n in range(3))
    )
    import_source(str(folder / "pairs.jsonl"), other, theirs)
    asked = Row("c", (), (Message("user", (Part("text", "Hm?"),)),),
                candidates=(Answer("p"), Answer("q"), Answer("r")))  # fmt: skip
    theirs.add_rows("my texts", [asked])
    theirs.delete(theirs.ids()[:1])
    theirs.close()
    return other


def test_another_workspace_gives_its_rows_and_stays_as_it_is(tmp_path, folder, workspace, store):
    other = other_workspace(tmp_path, folder)
    before = other.database.read_bytes()
    preview = preview_source(str(other.root), workspace)
    assert preview.recognised_as == "Another workspace"
    assert preview.splits == ("pairs", "my texts") and preview.rows == 2
    report = import_source(str(other.root), workspace, store)
    assert (report.dataset, report.added) == ("pairs", 2)
    (pair,) = store.browse()[0].pairs
    chosen = {c.id: c.text for c in store.browse()[0].candidates}[pair.source_choice_id]
    assert chosen == "x" and len(store.browse()[0].images) == 1
    texts = import_source(str(other.root), workspace, store, split="my texts")
    assert (texts.dataset, texts.added, store.datasets()[1].pairs) == ("my texts", 1, 3)
    assert import_source(str(other.root), workspace, store).unchanged == 2
    assert other.database.read_bytes() == before


def answer(store, external_id: str, annotator: str, text: str, **more) -> None:
    item = next(one for one in store.browse() if one.external_id == external_id)
    pair = item.pairs[0]
    winner = next(one.id for one in item.candidates if one.text == text)
    event = LabelEvent(uuid.uuid4().hex, pair.id, annotator, "choose", winner, **more)
    store.save(event)


def test_labels_come_along_when_asked_for_and_only_once(tmp_path, folder, workspace, store):
    other = other_workspace(tmp_path, folder)
    theirs = AnnotationStore(other.database_url, clock=lambda: 1_000.0)
    first, second = (item.external_id for item in theirs.browse(ItemFilter(dataset="pairs")))
    answer(theirs, first, "ana", "y", strength="clearly", reason="nearer", edit="y, said better")
    answer(theirs, second, "ana", "x")
    answer(theirs, second, "ben", "y")
    theirs.close()
    assert preview_source(str(other.root), workspace).labels == {"ana": 2, "ben": 1}
    assert import_source(str(other.root), workspace, store).labels is None
    assert [len(item.candidates) for item in store.browse()] == [2, 2] and not store.history("ana")
    answer(store, second, "ben", "x")
    report = import_source(str(other.root), workspace, store, labels=True)
    assert report.labels == Brought(added=2, answered=1)
    (_, kept) = store.history("ana")
    assert (kept.winner, kept.reason, kept.created_at) == ("y", "nearer", 1_000.0)
    rows = {(row.chosen.text, row.rejected.text) for row in store.preferences("pairs")}
    assert ("y, said better", "y") in rows and ("y", "x") in rows
    again = import_source(str(other.root), workspace, store, labels=True)
    assert again.labels == Brought(unchanged=2, answered=1) and again.unchanged == 2
    few = import_source(str(other.root), workspace, store, labels=True, limit=1, name="few")
    assert few.labels == Brought(unchanged=1, homeless=2)


def test_a_workspace_of_another_version_is_refused(tmp_path, folder, workspace):
    import sqlite3

    other = other_workspace(tmp_path, folder)
    with sqlite3.connect(other.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(DataError, match="another version"):
        preview_source(str(other.root), workspace)


REAL_DATA = SHARED / "data"


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared real data is not here")
@pytest.mark.parametrize(
    ("name", "rows", "bad"), [("mllm_bench/pairs.jsonl", 291, 0), ("hostile_images", 14, 80)]
)
def test_real_files_import_whole_or_say_why(name, rows, bad, workspace, store):
    report = import_source(str(REAL_DATA / name), workspace, store)
    assert (report.added, report.bad_count) == (rows, bad)
    assert len({row.line for row in report.bad}) == bad and all(row.reason for row in report.bad)
    listed = report.left_out.read_text(encoding="utf-8-sig").splitlines() if bad else [""]
    assert len(listed) == bad + 1
    assert store.count() == rows
