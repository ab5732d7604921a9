"""Archives are checked before anything is unpacked."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from studio.core.errors import DataError
from studio.data.schema import Row
from studio.data.sources import open_source
from studio.data.sources.archive import bare_name, open_reader
from tests.data.conftest import good, png

GOOD = {"image": "good.png", "question": "q", "answer": "a"}


def archive(path: Path, **members) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data/rows.jsonl", json.dumps(GOOD))
        packed.writestr("data/good.png", png())
        for name, content in members.items():
            packed.writestr(name.replace("__", "/"), content)
    return str(path)


def linked(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as packed:
        link = zipfile.ZipInfo("data/good.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    return str(path)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda path: archive(path, **{"..__evil.png": b"x"}), "leads outside"),
        (lambda path: archive(path, **{"__etc__evil.png": b"x"}), "leads outside"),
        (linked, "is a link"),
        (lambda path: archive(path, **{"data__zeros.txt": bytes(20_000_000)}), "times its size"),
        (lambda path: archive(path, **{"data__GOOD.png": png()}), "same name"),
    ],
)
def test_archives_are_checked_before_anything_is_unpacked(tmp_path, workspace, made, reason):
    with pytest.raises(DataError, match=reason) as caught:
        open_source(made(tmp_path / "given.zip"), workspace=workspace)
    assert caught.value.field == "data.source" and caught.value.remedy
    assert not list(workspace.unpacked.glob("*"))
    assert not list(tmp_path.rglob("evil.png"))


def test_an_archive_cut_short_is_refused(tmp_path, workspace):
    path = Path(archive(tmp_path / "cut.zip"))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match="damaged"):
        open_source(str(path), workspace=workspace)


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_with_damaged_data_is_refused(tmp_path, workspace, packing):
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", packing) as packed:
        packed.writestr("rows.jsonl", "".join(str(number**3) for number in range(1000)))
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not unpacked: it is damaged"):
        open_source(str(path), workspace=workspace)
    assert not list(workspace.unpacked.glob("*"))


def test_a_name_that_no_disk_takes_is_a_sentence(tmp_path, workspace):
    path = archive(tmp_path / "long.zip", **{f"data__{'a' * 300}.png": png()})
    with pytest.raises(DataError, match="cannot be unpacked here"):
        open_source(path, workspace=workspace)
    assert not list(workspace.unpacked.glob("*"))


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> str:
    with tarfile.open(path, mode) as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return str(path)


def tar_with(path: Path, **facts) -> str:
    """A tar file whose second member is of another kind, or says something of itself."""
    with tarfile.open(path, "w") as packed:
        info = tarfile.TarInfo("data/rows.jsonl")
        packed.addfile(info, io.BytesIO())
        other = tarfile.TarInfo(facts.pop("name", "data/good.png"))
        for key, value in facts.items():
            setattr(other, key, value)
        packed.addfile(other)
    return str(path)


def claiming(path: Path) -> str:
    """A tar file with a header that says that it goes on for 8 GB."""
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    return str(path)


def tar_bomb(path: Path) -> str:
    return tarred(path, {"rows.jsonl": json.dumps(GOOD).encode() + b" " * 400_000_000}, "w:gz")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda path: tar_with(path, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link"),
        (lambda path: tar_with(path, type=tarfile.LNKTYPE, linkname="data/x"), "is a link"),
        (lambda path: tar_with(path, type=tarfile.CHRTYPE), "is a link or a device"),
        (lambda path: tar_with(path, type=tarfile.FIFOTYPE), "is a link or a device"),
        (lambda path: tar_with(path, name="../evil.png"), "leads outside"),
        (lambda path: tar_with(path, name="/etc/evil.png"), "leads outside"),
        (lambda path: tar_with(path, name="C:\\evil.png"), "leads outside"),
        (lambda path: tarred(path, {"a.png": png(), "A.png": png()}), "same name"),
        (claiming, "damaged"),
    ],
)
def test_tar_files_are_checked_before_anything_is_unpacked(tmp_path, workspace, made, reason):
    with pytest.raises(DataError, match=reason) as caught:
        open_source(made(tmp_path / "given.tar"), workspace=workspace)
    assert caught.value.field == "data.source" and caught.value.remedy
    assert not list(workspace.unpacked.glob("*"))
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("name", ["given.tar.gz", "given.tgz"])
def test_a_packed_tar_file_that_unpacks_to_far_more_is_refused(tmp_path, workspace, name):
    with pytest.raises(DataError, match="more than 200 times"):
        open_source(tar_bomb(tmp_path / name), workspace=workspace)
    assert not list(workspace.unpacked.rglob("*.*"))


def test_a_member_larger_than_the_room_is_refused_before_it_is_read(
    tmp_path, workspace, monkeypatch
):
    monkeypatch.setattr("studio.data.sources.archive.MAX_BYTES", 1000)
    path = tarred(tmp_path / "large.tar", {"rows.jsonl": bytes(2000)})
    with pytest.raises(DataError, match="or more"):
        open_source(path, workspace=workspace)


@pytest.mark.parametrize(
    ("ending", "mode"),
    [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.bz2", "w:bz2"),
     (".tar.xz", "w:xz"), (".tar.zst", "")],
)  # fmt: skip
def test_tar_files_are_read_as_folders(tmp_path, workspace, ending, mode):
    members = {"./data/rows.jsonl": json.dumps(GOOD).encode(), "./data/good.png": png()}
    path = tmp_path / f"given{ending}"
    tarred(path, members, mode or "w")
    if not mode:
        path.write_bytes(pa.compress(path.read_bytes(), "zstd", asbytes=True))
    source = open_source(str(path), workspace=workspace)
    assert source.label == f"tar file given{ending}: JSONL file rows.jsonl"
    assert [row.question for row in good(source)] == ["q"]


def shard(path: Path, first: int) -> str:
    members = {}
    for number in range(first, first + 2):
        members[f"{number:06}.png"] = png(size=(8, 6 + number))
        members[f"{number:06}.txt"] = f"number {number}".encode()
        members[f"{number:06}.cls"] = str(number).encode()
    return tarred(path, members)


def test_shards_of_webdataset_are_put_together_by_key(tmp_path, workspace):
    alone = shard(tmp_path / "alone.tar", 7)
    reader = open_reader(alone, None, workspace, "data.train")
    first = next(reader.records()).values
    assert first == {"image": "000007.png", "id": "000007.png", "caption": "number 7", "cls": "7"}
    (folder := tmp_path / "shards").mkdir()
    for number in range(6):  # more than are kept unpacked
        shard(folder / f"train-{number:06}.tar", 2 * number)
    shard(folder / "val-000000.tar", 20)
    source = open_source(str(folder), workspace=workspace)
    assert set(source.splits) == {"train", "val"} and source.count() == 12
    assert [row.completion.text for row in good(source)] == [f"number {n}" for n in range(12)]
    held = good(open_source(str(folder), split="val", workspace=workspace))
    assert [row.completion.text for row in held] == ["number 20", "number 21"]


def test_images_and_texts_of_one_key_are_one_row(tmp_path, workspace):
    path = tarred(
        tmp_path / "two.tar",
        {
            "a/1.left.png": png("red"), "a/1.right.png": png("green"),
            "a/1.question.txt": b"Which is red?", "a/1.answer.txt": b"Left.",
            "a/1.json": b'{"source": "drawn"}',
        },
    )  # fmt: skip
    (record,) = open_reader(path, None, workspace, "data.train").records()
    assert record.values == {
        "images": ["1.left.png", "1.right.png"], "id": "1", "answer": "Left.", "source": "drawn",
        "question": "Which is red?",
    }  # fmt: skip


def test_members_that_are_not_unpacked_are_counted(tmp_path, workspace):
    path = archive(
        tmp_path / "given.zip",
        **{
            "data__c.tif": b"x",
            "data__notes.md": b"x",
            "data__._a.png": b"x",
            "data__u.png": b"",
        },
    )
    reader = open_reader(path, None, workspace, "data.train")
    named = [path for path in workspace.unpacked.rglob("good.png")]
    groups = {(group.state, group.why): group.examples for group in reader.files(named)}
    assert groups == {
        ("imported", ""): ("good.png", "rows.jsonl"),
        ("refused", "TIFF is not read: save it as PNG or JPEG"): ("data/c.tif",),
        ("ignored", "no row that was read names it"): ("u.png",),
        ("ignored", "no data file and no image"): ("data/notes.md",),
        ("ignored", "hidden"): ("data/._a.png",),
    }


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "cp437"])
def test_names_of_zip_files_that_do_not_say_their_encoding(tmp_path, workspace, encoding):
    name = "bär_é.png" if encoding == "cp437" else "图/红色.png"
    row = {**GOOD, "image": name}
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("rows.jsonl", json.dumps(row))
        stand_in = "x" * len(name.encode(encoding))
        packed.writestr(stand_in, png())
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name.encode(encoding)))
    (one,) = open_source(str(path), workspace=workspace).rows()
    assert isinstance(one, Row) and len(one.images) == 1


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("pairs.jsonl", "pairs"), ("pairs.v2.jsonl.gz", "pairs.v2"), ("pairs.tar.zst", "pairs"),
        ("pairs.tgz", "pairs"), ("pairs.zip", "pairs"), ("pairs.v2", "pairs.v2"),
    ],
)  # fmt: skip
def test_names_without_their_endings(name, bare):
    assert bare_name(name) == bare


def test_names_with_dots_are_not_taken_for_keys(tmp_path, workspace):
    members = {}
    for day in ("2024.01.02", "2024.03.04"):
        members[f"shot {day}.png"], members[f"shot {day}.txt"] = png(), day.encode()
    reader = open_reader(tarred(tmp_path / "shots.tar", members), None, workspace, "data.train")
    assert [record.values["caption"] for record in reader.records()] == ["2024.01.02", "2024.03.04"]
    bare = {f"shot.{number}.png": png() for number in range(3)}
    reader = open_reader(tarred(tmp_path / "bare.tar", bare), None, workspace, "data.train")
    assert [record.values["image"] for record in reader.records()] == list(bare)


def test_a_folder_with_only_archives_is_what_is_in_them(tmp_path, workspace):
    (folder := tmp_path / "packed").mkdir()
    archive(folder / "one.zip")
    source = open_source(str(folder), workspace=workspace)
    assert [row.question for row in good(source)] == ["q"]
    told = {(group.state, group.why): group.examples for group in source.files()}
    assert "one.zip" in told["imported", ""]


def test_chinese_names_of_tar_files_are_read(tmp_path, workspace):
    path = tmp_path / "names.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="gb18030") as packed:
        for name, content in (
            ("rows.jsonl", json.dumps({**GOOD, "image": "红.png"}).encode()),
            ("红.png", png()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    (row,) = open_source(str(path), workspace=workspace).rows()
    assert isinstance(row, Row) and len(row.images) == 1
