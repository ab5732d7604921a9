"""Uploads of the import form: one folder each, bounded before anything is read, all or nothing."""

from __future__ import annotations

import pytest

from studio.api import upload_folders, uploads
from studio.api.upload_folders import Piece, UploadFolders, check_name, read_head
from studio.core.errors import InputError, NotFoundError, StudioError


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folders(tmp_path):
    return UploadFolders(tmp_path / "folders", Clock(), lambda _: 1 << 50)


def announced(folders, contents, upload="", person="lea"):
    sizes = [len(content) for content in contents.values()]
    return folders.begin(person, upload, len(sizes), sum(sizes), max(sizes))


def write(folders, key, contents, person="lea"):
    pieces = [Piece(name, 0, len(content)) for name, content in contents.items()]
    folders.write(person, key, pieces, b"".join(contents.values()))


def sent(folders, contents, upload="", person="lea"):
    key = announced(folders, contents, upload, person)
    write(folders, key, contents, person)
    return folders.finish(person, key)


def test_files_keep_their_places_and_more_join_them(folders):
    made = sent(folders, {"charts/pairs.jsonl": b"{}", "charts/images/a.png": b"png"})
    assert (made.folder / "charts/images/a.png").read_bytes() == b"png"
    assert made.path == made.folder / "charts" and made.name == made.label == "charts"
    more = sent(folders, {"b.png": b"more", "charts/pairs.jsonl": b"new"}, made.key)
    assert more.key == made.key and set(more.sizes) == {*made.sizes, "b.png"}
    assert (more.folder / "charts/pairs.jsonl").read_bytes() == b"new"
    assert more.path == more.folder and more.bytes == len(b"new") + len(b"png") + len(b"more")


@pytest.mark.parametrize(
    ("names", "path", "label", "name"),
    [
        (["pairs.jsonl"], "pairs.jsonl", "pairs.jsonl", "pairs"),
        (["a.png", "pairs.jsonl"], "", "pairs.jsonl and 1 file", "pairs"),
        (["x/y/a.png", "x/y/b.png"], "x/y", "y", "y"),
        (["x/a.png", "x/y/b.png"], "x", "x", "x"),
        (["x/pairs.zip"], "x/pairs.zip", "pairs.zip", "pairs"),
    ],
)
def test_an_upload_is_called_after_its_folder_or_its_data(folders, names, path, label, name):
    made = sent(folders, dict.fromkeys(names, b"1"))
    assert (made.path, made.label, made.name) == (made.folder / path, label, name)


def test_a_large_file_comes_in_pieces_and_in_order_only(folders):
    key = folders.begin("lea", "", 1, 6, 6)
    folders.write("lea", key, [Piece("a", 0, 2)], b"ab")
    with pytest.raises(InputError, match="cut off or mixed up"):
        folders.write("lea", key, [Piece("a", 4, 2)], b"ef")
    folders.write("lea", key, [Piece("a", 2, 4)], b"cdef")
    assert (folders.finish("lea", key).folder / "a").read_bytes() == b"abcdef"


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../b", "/a", "a//b", ".", "a/.", "", "C:/a", "C:a", "a\\b", "a\0b", "a\nb",
     "a" * 300, "\ud800", "/".join("a" * 50)],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused_and_nothing_is_written(folders, name, tmp_path):
    key = folders.begin("lea", "", 1, 1, 1)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="cannot be called"):
        folders.write("lea", key, [Piece(name, 0, 1)], b"x")
    assert sorted(tmp_path.rglob("*")) == before


def test_usual_names_are_kept():
    for name in ("图片/一.png", "Screenshot 3.04.05\u202fPM.png", "a b/c (1).png", "é.png", "a..b"):
        check_name(name)


def test_too_many_and_too_large_are_refused_before_anything_is_sent(folders, monkeypatch):
    gb = 1 << 30
    with pytest.raises(InputError, match="20,001 files are more"):
        folders.begin("lea", "", 20_001, 1, 1)
    with pytest.raises(InputError, match="larger than 2 GB"):
        folders.begin("lea", "", 1, 3 * gb, 3 * gb)
    with pytest.raises(InputError, match=r"5\.0 GB; 4 GB can be"):
        folders.begin("lea", "", 4, 5 * gb, gb)
    with pytest.raises(InputError, match="no file"):
        folders.begin("lea", "", 0, 0, 0)
    assert not folders.base.exists()
    folders.begin("lea", "", 2, 3 * gb, 2 * gb)
    with pytest.raises(InputError, match="more than 4 GB or 20,000 files"):
        folders.begin("lea", "", 2, 2 * gb, gb)
    folders.begin("lou", "", 2, 2 * gb, gb)
    folders.free = lambda _: uploads.DISK_FLOOR
    with pytest.raises(StudioError, match="nearly full"):
        folders.begin("max", "", 1, 1, 1)


def test_more_than_was_announced_is_refused(folders):
    key = announced(folders, {"a": b"12"})
    for pieces, content in (
        ([Piece("a", 0, 3)], b"123"),
        ([Piece("a", 0, 1), Piece("b", 0, 1)], b"12"),
        ([Piece("a", 0, 2)], b"1"),
        ([Piece("a", 0, 1), Piece("a", 0, 1)], b"12"),
    ):
        with pytest.raises(InputError, match="cut off or mixed up"):
            folders.write("lea", key, pieces, content)
    with pytest.raises(InputError, match="Only 0 of 1 file have come"):
        folders.finish("lea", key)


def test_what_breaks_off_joins_nothing_and_goes(folders):
    made = sent(folders, {"a": b"1"})
    key = announced(folders, {"b": b"1", "c": b"2"}, made.key)
    write(folders, key, {"b": b"1"})
    assert set(folders.find("lea", made.key).sizes) == {"a"}
    assert sorted(path.name for path in made.folder.iterdir()) == ["a"]
    folders.clock.now += uploads.TORN_SECONDS + 1
    sent(folders, {"d": b"1"})
    with pytest.raises(NotFoundError, match="stopped or took too long"):
        write(folders, key, {"c": b"2"})
    assert not list(folders.base.rglob("*.coming"))


def test_a_file_cannot_be_a_folder_too(folders):
    made = sent(folders, {"a": b"1", "b/c": b"1"})
    for name in ("a/b", "b"):
        with pytest.raises(InputError, match="is a file, and"):
            sent(folders, {name: b"2", "z": b"1"}, made.key)
    assert set(folders.find("lea", made.key).sizes) == {"a", "b/c"}
    assert not (made.folder / "z").exists()
    key = announced(folders, {"x": b"1", "x/y": b"1"})
    with pytest.raises(InputError, match="cannot both be kept"):
        write(folders, key, {"x": b"1", "x/y": b"1"})


def test_an_upload_belongs_to_whoever_sent_it(folders):
    made = sent(folders, {"a": b"1"})
    with pytest.raises(NotFoundError):
        folders.find("lou", made.key)
    with pytest.raises(NotFoundError):
        folders.begin("lou", made.key, 1, 1, 1)
    folders.drop("lou", made.key)
    assert folders.find("lea", made.key).path.is_file()
    folders.drop("lea", made.key)
    assert not made.folder.exists()
    with pytest.raises(NotFoundError, match="not here any more"):
        folders.find("lea", made.key)


def test_what_was_imported_goes_and_what_nobody_uses(folders, monkeypatch):
    made, other = sent(folders, {"x/a": b"1"}), sent(folders, {"b": b"1"})
    folders.drop("lea", made.key)
    assert not made.folder.exists() and other.path.exists()
    folders.clock.now += uploads.KEPT_WHEN_NEEDED + 1
    monkeypatch.setattr(upload_folders, "MAX_FILES", 1)
    third = sent(folders, {"c": b"1"})  # there was no room beside it
    assert third.path.exists() and not other.folder.exists()
    folders.clock.now += uploads.KEPT_SECONDS + 1
    sent(folders, {"d": b"1"}, person="lou")
    assert not third.folder.exists()


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[1]", b'[["a",0]]', b'[["a",0,-1]]', b'[["a",true,1]]', b'[[1,0,1]]', b"\xff",
     b"[" * 100_000, b'[["a",0,1]' + b',["a",1,1]' * 500 + b"]"],
)  # fmt: skip
def test_a_head_that_cannot_be_read_is_refused(line):
    with pytest.raises(InputError):
        read_head(line)
