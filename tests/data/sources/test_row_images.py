"""What a row may have for an image: a name, bytes, an object that describes one."""

from __future__ import annotations

import base64
import hashlib

import pytest

from studio.core.errors import DataError
from studio.data.sources.json_files import JsonReader
from studio.data.sources.registry import open_reader
from studio.data.sources.row_images import RowImages
from tests.data.conftest import QA, png

RED = png("red")
SHA = hashlib.sha256(RED).hexdigest()
TEXT = base64.b64encode(RED).decode()


@pytest.fixture
def row_images(images, folder):
    return RowImages(images, JsonReader(label="x", folder=folder))


@pytest.mark.parametrize(
    "value",
    [
        "a.png",
        RED,
        TEXT,
        f"data:image/png;base64,{TEXT}",
        {"bytes": RED, "path": None},
        {"bytes": None, "path": "a.png"},
        {"bytes": TEXT, "path": "elsewhere.png"},
        {"bytes": list(RED)},
        {"base64": TEXT},
        {"path": "a.png"},
        {"filename": "a.png"},
        {"file_name": "a.png"},
        {"src": "a.png", "height": 4, "width": 4},
        {"url": f"data:image/png;base64,{TEXT}"},
        {"type": "image_url", "image_url": {"url": "a.png"}},
        ["a.png"],
        [{"path": "a.png"}],
        list(RED),
        "/home/x/a.PNG",
    ],
)
def test_images_are_understood(row_images, value):
    assert row_images(value) == SHA


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "image is missing"),
        ("", "image is missing"),
        ({}, "image is missing"),
        ({"bytes": None, "path": None}, "image is missing"),
        ([], "image is missing"),
        (7, "the number 7 stands where"),
        (7.5, "the number 7.5 stands where"),
        ([[[255, 0, 0], [0, 255, 0]]], "numbers of pixels"),
        ([[255, 0, 0], [0, 255, 0]], "numbers of pixels"),
        ({"bytes": [[0.5, 0.1]]}, "numbers of pixels"),
        ([0.5, 0.1], "no file's bytes"),
        ([300, 1], "no file's bytes"),
        (["a.png", "b.png"], "2 images stand where one"),
        ({"base64": "???"}, "base64 of the image is damaged"),
        ({"path": {"path": {"path": {"path": {"path": "a.png"}}}}}, "image is missing"),
    ],
)
def test_what_is_no_image_is_said(row_images, value, reason):
    with pytest.raises(DataError, match=reason):
        row_images(value)


def test_the_files_that_were_found_are_remembered(row_images, folder):
    row_images("a.png")
    row_images("a.png")
    row_images("/elsewhere/B.png")
    assert row_images.used == {(folder / "a.png").resolve(), (folder / "b.png").resolve()}


def test_another_folder_can_be_given(images, folder, workspace, jsonl):
    (folder / "deep").mkdir()
    data = jsonl(QA, name="deep/rows.jsonl")
    reader = open_reader(data, None, workspace)
    with pytest.raises(DataError, match="no image lies beside the data"):
        RowImages(images, reader)("a.png")
    reader.more_folders = (folder,)
    assert reader.image_folders == (folder / "deep", folder)
    assert RowImages(images, reader)("pictures/a.png") == SHA


def test_names_of_sources_without_a_folder_can_be_found_in_one_given(images, folder):
    reader = JsonReader(label="x")
    with pytest.raises(DataError, match="only named, not included"):
        RowImages(images, reader)("a.png")
    reader.more_folders = (folder,)
    assert RowImages(images, reader)("a.png") == SHA
