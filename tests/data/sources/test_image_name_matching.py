"""Images that are named a little differently than their files are."""

from __future__ import annotations

import unicodedata

import pytest

from studio.core.errors import DataError
from studio.data.sources.image_name_matching import ImageFinder, find_below, readings
from tests.data.conftest import png


def made(root, *names):
    for name in names:
        (path := root / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def found(root, name):
    return ImageFinder().find([root], name).relative_to(root.resolve()).as_posix()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("images/red.png", "images/red.png"),
        ("./images/red.png", "images/red.png"),
        ("Images/RED.PNG", "images/red.png"),
        ("images/red", "images/red.png"),
        ("images/red.jpeg", "images/red.png"),
        ("red.png", "images/red.png"),
        ("pictures/red.png", "images/red.png"),
        ("/home/someone/project/images/red.png", "images/red.png"),
        ("D:\\data\\images\\red.png", "images/red.png"),
        ("\\\\host\\share\\images\\red.png", "images/red.png"),
        ("../images/red.png", "images/red.png"),
        ("~/images/red.png", "images/red.png"),
        ("file:///somewhere/images/red.png", "images/red.png"),
        ("file://red.png", "images/red.png"),
        ("s3://bucket/set/images/red.png", "images/red.png"),
        ("gs://bucket/red.png", "images/red.png"),
        ("https://host/some/red.png?size=3#x", "images/red.png"),
        ("/data/upload/3/1a2b3c4d-red.png", "images/red.png"),
        ("/data/local-files/?d=images/red.png", "images/red.png"),
        ("my%20bar%201.png", "my bar 1.png"),
        ("/data/local-files/?d=my%20bar%201.png", "my bar 1.png"),
        ("file://my bar 1.png", "my bar 1.png"),
        (unicodedata.normalize("NFC", "bär_été.png"), unicodedata.normalize("NFD", "bär_été.png")),
        ("7", "000007.gif"),
        ("COCO_val2014_000000000007.jpg", "000007.gif"),
        ("000000000042.jpg", "coco/COCO_val2014_000000000042.webp"),
        ("v1.2", "v1.2.png"),
    ],
)
def test_the_only_file_that_fits_is_found(tmp_path, name, file):
    root = made(
        tmp_path / "set",
        "images/red.png", "images/green.png", "my bar 1.png", "000007.gif", "rows.jsonl",
        "coco/COCO_val2014_000000000042.webp", "v1.2.png", "images/.red.png",
        unicodedata.normalize("NFD", "bär_été.png"),
    )  # fmt: skip
    assert found(root, name) == file


def test_the_longest_end_of_a_name_decides(tmp_path):
    root = made(tmp_path / "set", "a/images/1.png", "b/images/1.png", "b/other/1.png")
    assert found(root, "/mnt/b/images/1.png") == "b/images/1.png"
    assert found(root, "/mnt/x/other/1.png") == "b/other/1.png"
    with pytest.raises(DataError, match=r"'a/images/1\.png' and 'b/images/1\.png'"):
        found(root, "/mnt/images/1.png")


def test_case_decides_between_two_files(tmp_path):
    root = made(tmp_path / "set", "x/Red.png", "x/red.png")
    assert found(root, "/y/x/red.png") == "x/red.png"
    with pytest.raises(DataError, match="more than one file fits"):
        found(root, "/y/x/RED.png")


def test_two_endings_are_too_many(tmp_path):
    root = made(tmp_path / "set", "1.png", "1.jpg")
    with pytest.raises(DataError, match="more than one file fits '1'"):
        found(root, "1")
    assert found(root, "1.jpg") == "1.jpg"


def test_a_file_of_another_split_does_not_fit(tmp_path):
    root = made(tmp_path / "set", "train/0001.png")
    assert found(root, "/mnt/train/0001.png") == "train/0001.png"
    with pytest.raises(DataError, match=r"the nearest is 'train/0001\.png'"):
        found(root, "/mnt/val/0001.png")


def test_names_that_only_end_alike_are_not_one_image(tmp_path):
    root = made(tmp_path / "set", "image.png")
    finder = ImageFinder()
    finder.find([root], "https://host/1/image.png")
    finder.find([root], "http://mirror/1/image.jpg")
    with pytest.raises(DataError, match=r"both end as the one file 'image\.png'"):
        finder.find([root], "https://host/2/image.png")


def test_folders_are_looked_in_one_after_the_other(tmp_path):
    first, second = made(tmp_path / "one", "a.png"), made(tmp_path / "two", "a.png", "B.png")
    finder = ImageFinder()
    assert finder.find([first, second], "a.png") == (first / "a.png").resolve()
    assert finder.find([first, second], "b.png") == (second / "B.png").resolve()


def test_a_name_without_a_file_says_the_nearest_and_what_to_do(tmp_path):
    root = made(tmp_path / "set", "images/chart_red.png")
    with pytest.raises(
        DataError, match=r"no image file 'chart_rad\.png'; the nearest is 'images/c"
    ):
        found(root, "chart_rad.png")
    with pytest.raises(DataError, match=r"never fetched; give the folder .*"):
        found(root, "http://169.254.169.254/zzzz")
    bare = made(tmp_path / "bare", "rows.jsonl")
    with pytest.raises(DataError, match="import the folder or a ZIP that has both"):
        found(bare, "a.png")
    made(bare, "images.zip")
    with pytest.raises(DataError, match=r"but 'images\.zip' does: unpack it there"):
        found(bare, "a.png")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret.png", "../../secret.png", "secret", "file:///etc/passwd",
             "x/../../secret.png", "a\0.png", "..", "/", "", "%2e%2e%2fsecret.png", "..\\secret.png"]
)  # fmt: skip
def test_nothing_outside_the_folder_is_ever_found(tmp_path, name):
    made(tmp_path, "secret.png")
    root = made(tmp_path / "set", "a.png", "passwd.jsonl")
    with pytest.raises(DataError):
        found(root, name)


def test_links_that_lead_outside_are_never_found(tmp_path):
    made(tmp_path / "outside", "secret.png")
    root = made(tmp_path / "set", "a.png")
    (root / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (root / "deep").symlink_to(tmp_path / "outside")
    for name in ("link.png", "LINK.png", "link", "/x/link.png", "deep/secret.png", "secret.png"):
        with pytest.raises(DataError):
            found(root, name)


def test_a_folder_of_too_many_files_finds_only_exact_names(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.sources.image_name_matching.MAX_ENTRIES", 2)
    root = made(tmp_path / "set", "a.png", "b.png", "c.png")
    assert found(root, "c.png") == "c.png"
    with pytest.raises(DataError, match="of more than 2 files only those named exactly"):
        found(root, "C.png")


def test_exact_names_need_no_index(tmp_path, monkeypatch):
    root = made(tmp_path / "set", "a.png")
    monkeypatch.setattr("studio.data.sources.image_name_matching.ImageIndex", None)
    assert found(root, "a.png") == "a.png"


def test_readings_of_a_name():
    assert readings("/data/upload/3/1a2b3c4d-a.png") == [
        ("data", "upload", "3", "1a2b3c4d-a.png"), ("data", "upload", "3", "a.png"),
    ]  # fmt: skip
    assert readings("50%25.png") == [("50%25.png",), ("50%.png",)]


@pytest.mark.parametrize(
    "name",
    [
        "../a.png", "x/../../a.png", "/etc/passwd", "~/a.png", "C:\\a.png", "\\\\host\\a.png",
        "//host/a.png", "http://169.254.169.254/x.png", "file:///etc/passwd", "data:image/png;x",
        "missing.png", "a\0.png", "..\\a.png", "x" * 5000,
    ],
)  # fmt: skip
def test_names_that_lead_outside_are_refused(folder, name):
    with pytest.raises(DataError):
        find_below(folder.resolve(), name)


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    (folder / "link.png").symlink_to(secret)
    with pytest.raises(DataError, match="link out of the folder"):
        find_below(folder.resolve(), "link.png")
    assert find_below(folder.resolve(), "./a.png") == (folder / "a.png").resolve()
