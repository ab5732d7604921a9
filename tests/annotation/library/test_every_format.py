"""Every known format, in every container that can hold it, imports and trains without a mapping."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.annotation import ItemFilter
from studio.annotation.library.source_import import import_source, preview_source
from studio.data.trl_conversion import load_training_data
from tests.annotation.library.format_records import (
    FORMATS,
    GEOPERCEPTION,
    IMAGE,
    RLAIF,
    SAID,
    TRL_IMAGE,
    VQAV2,
)
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


@pytest.mark.parametrize("name", FORMATS)
def test_formats_import_from_every_container_as_the_same_row(name, folder, workspace, library):
    (recognised, record), seen = FORMATS[name], []
    for file, write in CONTAINERS.items():
        write(record, folder)
        path = str(folder / file)
        preview = preview_source(path, workspace)
        assert preview.recognised_as == recognised and len(preview.first) == 1, file
        report = import_source(path, workspace, library, name=file)
        assert (report.added, report.bad_count) == (1, 0), (file, report.bad)
        (item,) = library.browse(ItemFilter(dataset=file))
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
def test_flat_formats_import_from_delimited_files(record, file, mark, folder, workspace, library):
    with (folder / file).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(record), delimiter=mark)
        writer.writeheader()
        writer.writerow(record)
    report = import_source(str(folder / file), workspace, library)
    assert (report.added, report.bad_count) == (1, 0)


def test_a_folder_of_images_with_captions_and_with_metadata(folder, workspace, library):
    (folder / "a.txt").write_text("a red card")
    assert import_source(str(folder), workspace, library, name="captions").added == 2
    assert library.count(ItemFilter(search="red card")) == 1
    (folder / "metadata.csv").write_text("file_name,text\nb.png,a blue card\n")
    assert import_source(str(folder), workspace, library, name="metadata").added == 1
    (item,) = library.browse(ItemFilter(dataset="metadata"))
    assert item.candidates[0].text == "a blue card"


REAL_DATA = SHARED / "data"


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared real data is not here")
@pytest.mark.parametrize(
    ("name", "rows", "bad"), [("mllm_bench/pairs.jsonl", 291, 0), ("hostile_images", 14, 80)]
)
def test_real_files_import_whole_or_say_why(name, rows, bad, workspace, library):
    asked = {"question": "=Describe this image."} if name == "hostile_images" else None
    report = import_source(str(REAL_DATA / name), workspace, library, columns=asked)
    assert (report.added, report.bad_count) == (rows, bad)
    assert len({row.line for row in report.bad}) == bad and all(row.reason for row in report.bad)
    listed = report.left_out.read_text(encoding="utf-8-sig").splitlines() if bad else [""]
    assert len(listed) == bad + 1
    assert library.count() == rows
