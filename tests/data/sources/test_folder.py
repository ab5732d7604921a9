"""Folders of data files, of images, and of saved datasets."""

from __future__ import annotations

import hashlib
import json

import pytest
from datasets import Dataset, DatasetDict, Features, Value
from datasets import Image as ImageType
from PIL import Image

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from studio.data.sources.folder import open_reader
from tests.data.conftest import QA, encoded, good, png


def test_saved_and_sharded_datasets(tmp_path, workspace):
    types = Features({"image": ImageType(), "question": Value("string"), "answer": Value("string")})
    rows = {"image": [{"bytes": png(), "path": None}] * 4, "question": list("wxyz"),
            "answer": ["a"] * 4}  # fmt: skip
    dataset = Dataset.from_dict(rows, features=types)
    DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "saved")
    saved = str(tmp_path / "saved")
    assert [row.question for row in good(open_source(saved, workspace=workspace))] == list("wxyz")
    assert len(good(open_source(saved, split="test", workspace=workspace))) == 1
    (tmp_path / "sharded" / "data").mkdir(parents=True)
    for shard in range(2):
        part = dataset.shard(2, shard)
        part.to_parquet(tmp_path / "sharded" / "data" / f"train-0000{shard}-of-00002.parquet")
    source = open_source(str(tmp_path / "sharded"), workspace=workspace)
    assert source.count() == 4 and len(good(source)) == 4


def test_a_folder_of_images_with_and_without_captions(folder, workspace):
    (folder / "a.txt").write_text("a red square")
    (folder / "broken.png").write_bytes(b"no image")
    source = open_source(str(folder), workspace=workspace)
    assert source.recognised_as == "Images with captions"
    rows = list(source.rows())
    assert rows[0].external_id == "a.png" and rows[0].completion.text == "a red square"
    assert rows[1].completion is None and rows[1].question == "Describe this image."
    assert isinstance(rows[2], BadRow) and isinstance(rows[3], Row)


def test_an_image_folder_with_metadata(folder, workspace, jsonl):
    jsonl({"file_name": "a.png", "text": "red"}, name="metadata.jsonl")
    (row,) = open_source(str(folder), workspace=workspace).rows()
    assert row.completion.text == "red" and len(row.images) == 1


def test_folders_without_end_are_refused(folder, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.folder.MAX_ENTRIES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        open_source(str(folder), workspace=workspace)


def test_files_with_the_same_columns_are_read_one_after_the_other(jsonl, folder, workspace):
    jsonl(QA, {**QA, "question": "r"}, name="one.jsonl")
    jsonl("not json", {**QA, "question": "s"}, name="two.jsonl")
    source = open_source(str(folder), workspace=workspace)
    rows = list(source.rows())
    assert source.label == "2 JSONL files" and source.count() == 4
    assert [row.question for row in rows if isinstance(row, Row)] == ["q", "r", "s"]
    assert rows[2].line == 3 and rows[2].reason.endswith("(line 1 of two.jsonl)")


def test_lists_in_cells_of_several_tables_are_read_as_in_one(folder, workspace):
    for number in range(2):
        cells = f'a.png,q{number},"[""x{number}"", ""y""]"'
        (folder / f"part-{number}.csv").write_text(f"image,question,answers\n{cells}\n")
    rows = good(open_source(str(folder), workspace=workspace))
    assert [row.accepted for row in rows] == [("x0", "y"), ("x1", "y")]


def test_files_with_other_columns_or_of_another_kind_ask_for_a_choice(jsonl, folder, workspace):
    jsonl(QA, name="one.jsonl")
    jsonl({"id": 1, "text": "t"}, name="two.jsonl")
    with pytest.raises(DataError, match=r"one\.jsonl \(answer, image, question\); two\.jsonl \(id"):
        open_source(str(folder), workspace=workspace)
    (folder / "two.jsonl").unlink()
    (folder / "one.csv").write_text("image,question,answer\na.png,q,a\n")
    with pytest.raises(DataError, match="different kinds") as caught:
        open_source(str(folder), workspace=workspace)
    assert "one.csv, one.jsonl" in caught.value.remedy


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_metadata_at_any_depth_gives_rows_and_splits(tmp_path, workspace, name):
    for split, colours in (("train", ("red", "green")), ("test", ("blue",))):
        rows = []
        for number, colour in enumerate(colours):
            (place := tmp_path / "set" / split / "more").mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(png(colour))
            rows.append({"file_name": f"{number}.png", "question": "Colour?", "answer": colour})
        if name.endswith("jsonl"):
            (place / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name.endswith("csv"):
            Dataset.from_list(rows).to_csv(place / name, index=False)
        else:
            Dataset.from_list(rows).to_parquet(place / name)
    source = open_source(str(tmp_path / "set"), workspace=workspace)
    assert set(source.splits) == {"train", "test"}
    assert [row.completion.text for row in good(source)] == ["red", "green"]
    held = open_source(str(tmp_path / "set"), split="test", workspace=workspace)
    (row,) = good(held)
    assert row.images == (hashlib.sha256(png("blue")).hexdigest(),), "0.png of its own split"


def test_metadata_of_several_folders_names_the_images_beside_it(tmp_path, workspace):
    for kind, colour in (("bars", "red"), ("lines", "green")):
        (place := tmp_path / "set" / "train" / kind).mkdir(parents=True)
        (place / "0.png").write_bytes(png(colour))
        (place / "metadata.csv").write_text(f"file_name,question,answer\n0.png,C?,{colour}\n")
    rows = good(open_source(str(tmp_path / "set"), workspace=workspace))
    shas = [hashlib.sha256(png(colour)).hexdigest() for colour in ("red", "green")]
    assert [row.images[0] for row in rows] == shas


def test_metadata_wins_over_other_files_beside_it(jsonl, folder, workspace):
    jsonl({"file_name": "a.png", "text": "red"}, name="metadata.jsonl")
    jsonl({"licence": "x"}, name="other.jsonl")
    source = open_source(str(folder), workspace=workspace)
    assert [row.completion.text for row in good(source)] == ["red"]
    reader = open_reader(str(folder), None, workspace, "data.train")
    told = {group.why: group.examples for group in reader.files(set())}
    assert told["other data files are read instead"] == ("other.jsonl",)


def test_notes_beside_images_are_their_fields(folder, workspace):
    (folder / "a.json").write_text(json.dumps({"question": "Colour?", "answer": "Red."}))
    (folder / "b.json").write_text(json.dumps({"question": "Colour?", "answer": "Green."}))
    (folder / "b.cls").write_text("3\n")
    reader = open_reader(str(folder), None, workspace, "data.train")
    first, second, third = (record.values for record in reader.records())
    assert first == {"image": "a.png", "id": "a.png", "question": "Colour?", "answer": "Red."}
    assert second["cls"] == "3" and third == {"image": "c.png", "id": "c.png"}
    (folder / "labels").mkdir()
    (folder / "labels" / "c.txt").write_bytes("一个蓝色".encode("gb18030"))
    reader = open_reader(str(folder), None, workspace, "data.train")
    assert list(reader.records())[2].values["caption"] == "一个蓝色"
    (folder / "c.json").write_text("{")
    records = list(open_reader(str(folder), None, workspace, "data.train").records())
    assert isinstance(records[2], BadRow) and "c.json" in records[2].reason


def test_a_list_of_notes_is_a_row_each(folder, workspace):
    for name in "abc":
        said = [{"question": f"{name}{n}", "answer": "x", "image": "elsewhere"} for n in range(2)]
        (folder / f"{name}.json").write_text(json.dumps(said))
    reader = open_reader(str(folder), None, workspace, "data.train")
    records = [record.values for record in reader.records()]
    assert reader.count() == 6 and [one["id"] for one in records[:2]] == ["a.png#0", "a.png#1"]
    assert records[5]["image"] == "c.png" and records[5]["json.image"] == "elsewhere"


def test_every_file_of_a_folder_is_counted(folder, workspace):
    (folder / "a.txt").write_text("a red square")
    (folder / "d.jfif").write_bytes(encoded(Image.new("RGB", (8, 6)), "JPEG"))
    (folder / "e.tif").write_bytes(b"II*\0")
    (folder / "f.heic").write_bytes(b"x")
    (folder / ".hidden.png").write_bytes(png())
    (folder / "LICENSE").write_text("free")
    (folder / "table.xlsx").write_bytes(b"PK")
    reader = open_reader(str(folder), None, workspace, "data.train")
    groups = {(group.state, group.why): group for group in reader.files(set())}
    assert groups["imported", ""].examples == ("a.png", "a.txt", "b.png", "c.png", "d.jfif")
    assert groups["refused", "TIFF is not read: save it as PNG or JPEG"].examples == ("e.tif",)
    assert groups["refused", "HEIC is not read: save it as PNG or JPEG"].examples == ("f.heic",)
    assert groups["refused", "Excel is not read: save the sheet as CSV"].count == 1
    assert groups["ignored", "hidden"].examples == (".hidden.png",)
    assert groups["ignored", "no data file and no image"].examples == ("LICENSE",)
    assert sum(group.count for group in groups.values()) == 10
    assert len(good(open_source(str(folder), workspace=workspace))) == 4


def test_images_that_no_row_names_and_those_of_another_split_are_told(folder, workspace, jsonl):
    jsonl(QA)
    jsonl({**QA, "image": "b.png"}, name="test.jsonl")
    (folder / "deep").mkdir()
    (folder / "deep" / "more.csv").write_text("x,y\n")
    reader = open_reader(str(folder), None, workspace, "data.train")
    groups = {
        (group.state, group.why): group.examples for group in reader.files({folder / "a.png"})
    }
    assert groups == {
        ("imported", ""): ("a.png", "rows.jsonl"),
        ("ignored", "no row that was read names it"): ("b.png", "c.png"),
        ("ignored", "belongs to another split"): ("test.jsonl",),
        ("ignored", "lies further down than the data files that are read"): ("deep/more.csv",),
    }


def test_a_folder_of_what_is_not_read_says_what_it_is(tmp_path, workspace):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError, match="TIFF is not read: save it as PNG"):
        open_source(str(tmp_path / "set"), workspace=workspace)


def test_image_folders_by_split_are_splits(tmp_path, workspace):
    for split, number in (("train", 2), ("val", 1)):
        (place := tmp_path / "set" / split).mkdir(parents=True)
        for name in range(number):
            (place / f"{name}.png").write_bytes(png())
            (place / f"{name}.txt").write_text(split)
    source = open_source(str(tmp_path / "set"), workspace=workspace)
    assert source.splits == ("train", "val") and len(good(source)) == 2
    held = good(open_source(str(tmp_path / "set"), split="val", workspace=workspace))
    assert [row.completion.text for row in held] == ["val"]


def test_a_link_in_a_folder_that_leads_outside_is_not_followed(tmp_path, folder, workspace):
    (tmp_path / "secret.png").write_bytes(png("black"))
    (tmp_path / "secret.jsonl").write_text(json.dumps(QA))
    (folder / "z.png").symlink_to(tmp_path / "secret.png")
    (folder / "deep").mkdir()
    (folder / "deep" / "rows.jsonl").symlink_to(tmp_path / "secret.jsonl")
    reader = open_reader(str(folder), None, workspace, "data.train")
    assert [r.values["image"] for r in reader.records()] == ["a.png", "b.png", "c.png"]
    told = {group.why: group.examples for group in reader.files(set())}
    assert told["a link that leads out of the folder"] == ("z.png", "deep/rows.jsonl")


def test_a_link_inside_a_folder_is_as_good_as_its_file(folder, workspace, jsonl):
    (folder / "link.png").symlink_to(folder / "a.png")
    jsonl({**QA, "image": "link.png"})
    source = open_source(str(folder), workspace=workspace)
    assert len(good(source)[0].images) == 1
    told = {(group.state, group.why): group.examples for group in source.files()}
    assert told["imported", ""] == ("a.png", "link.png", "rows.jsonl")


def test_a_folder_that_cannot_be_looked_into_is_no_empty_one(folder, workspace, monkeypatch):
    def refusing(root, onerror=None):
        onerror(PermissionError(13, "Permission denied"))
        yield

    monkeypatch.setattr("studio.data.sources.file_census.os.walk", refusing)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        open_source(str(folder), workspace=workspace)


def test_captions_beside_images_win_over_a_table_further_down(folder, workspace):
    for name in "abc":
        (folder / f"{name}.txt").write_text(name)
    (folder / "logs").mkdir()
    (folder / "logs" / "steps.csv").write_text("step,loss\n1,2\n")
    reader = open_reader(str(folder), None, workspace, "data.train")
    assert [record.values["caption"] for record in reader.records()] == ["a", "b", "c"]
    told = {group.why: group.examples for group in reader.files(set())}
    assert told["images and their notes are read instead"] == ("logs/steps.csv",)


def test_packed_archives_beside_data_are_told(jsonl, folder, workspace):
    jsonl(QA)
    (folder / "images.zip").write_bytes(b"PK")
    (folder / "._rows.jsonl").write_bytes(b"what macOS leaves behind")
    (folder / "labeling-interface.xml").write_text("<View/>")  # of the studio's own export
    reader = open_reader(str(folder), None, workspace, "data.train")
    told = {group.why: group.examples for group in reader.files(set())}
    assert told["tells of the dataset, and has no rows"] == ("labeling-interface.xml",)
    assert told["an archive beside the data is not unpacked"] == ("images.zip",)
    assert told["hidden"] == ("._rows.jsonl",) and reader.label == "JSONL file rows.jsonl"


def test_a_saved_dataset_tells_its_files(tmp_path, workspace):
    part = Dataset.from_dict({"question": ["q"], "answer": ["a"]})
    DatasetDict(train=part, test=part).save_to_disk(tmp_path / "saved")
    reader = open_reader(str(tmp_path / "saved"), None, workspace, "data.train")
    told = {(group.state, group.why): group.count for group in reader.files(set())}
    assert told == {
        ("imported", ""): 1,
        ("ignored", "tells of the dataset, and has no rows"): 3,
        ("ignored", "belongs to another split"): 3,
    }


def test_a_file_with_splits_beside_others_is_not_cut_down_to_one(folder, workspace):
    (folder / "all.json").write_text(json.dumps({"train": [QA], "test": [QA]}))
    (folder / "more.json").write_text(json.dumps([QA]))
    with pytest.raises(DataError, match=r"all\.json lies beside .* train, test"):
        open_source(str(folder), workspace=workspace)
    (folder / "more.json").unlink()
    assert open_source(str(folder), split="test", workspace=workspace).count() == 1


def test_boxes_of_a_detector_are_no_captions(folder, workspace):
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("0 0.5 0.5 1 1\n12 .25 0.5 0.125 1.0\n")
    (folder / "labels" / "b.txt").write_text("4 bars, 0.5 m wide\n")
    first, second, _ = open_reader(str(folder), None, workspace, "data.train").records()
    assert "caption" not in first.values and first.values["boxes"].startswith("0 0.5")
    assert second.values["caption"] == "4 bars, 0.5 m wide\n"


def test_folders_that_sort_images_are_kept(tmp_path, workspace):
    for kind in ("cat", "dog"):
        (place := tmp_path / "set" / "train" / kind).mkdir(parents=True)
        (place / "1.png").write_bytes(png())
    reader = open_reader(str(tmp_path / "set"), None, workspace, "data.train")
    assert [record.values["folder"] for record in reader.records()] == ["cat", "dog"]
    columns = {"question": "=What is it?", "answer": "folder"}
    rows = good(open_source(str(tmp_path / "set"), columns=columns, workspace=workspace))
    assert [row.completion.text for row in rows] == ["cat", "dog"]


def test_damaged_images_are_told_as_refused(folder, workspace, jsonl):
    (folder / "b.png").write_bytes(b"no image")
    jsonl(QA, {**QA, "image": "b.png"})
    source = open_source(str(folder), workspace=workspace)
    assert [type(row) for row in source.rows()] == [Row, BadRow]
    told = {(group.state, group.examples): group.why for group in source.files()}
    assert told["imported", ("a.png", "rows.jsonl")] == ""
    assert "not a PNG" in told["refused", ("b.png",)]


def test_a_preview_says_of_files_that_later_rows_may_name_them(folder, jsonl, workspace):
    for name in "abcdef":
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    jsonl(*({**QA, "image": f"{name}.png"} for name in "abcde"))
    source = open_source(str(folder), workspace=workspace)
    source.preview(2)
    why = {group.why: group.examples for group in source.files() if group.state == "ignored"}
    assert why == {
        "the first 2 rows do not name it; more follow": ("c.png", "d.png", "e.png", "f.png")
    }
    for looked in (lambda: source.preview(5), lambda: list(source.rows())):
        looked()
        why = {group.why: group.examples for group in source.files() if group.state == "ignored"}
        assert why == {"no row that was read names it": ("f.png",)}
