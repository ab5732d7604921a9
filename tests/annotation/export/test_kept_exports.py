"""Exports in the workspace: found again, and streamed as a ZIP file."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from studio.annotation.export.kept_exports import (
    CHUNK,
    archive,
    describe,
    find_export,
    newest_exports,
)
from studio.core.errors import NotFoundError
from studio.core.paths import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def make(workspace, name, rows=2, **manifest):
    folder = workspace.exports / name
    (folder / "images").mkdir(parents=True)
    (folder / "preferences.jsonl").write_text("{}\n" * rows, encoding="utf-8")
    (folder / "images" / "a.png").write_bytes(b"\x89PNG" + bytes(3 * CHUNK))
    known = {"pairs": rows, "format": "jsonl", "dataset": "charts", **manifest}
    (folder / "manifest.json").write_text(json.dumps(known), encoding="utf-8")
    return folder


def test_a_folder_comes_as_one_file_in_parts(workspace):
    folder = make(workspace, "charts-0123")
    parts = list(archive(folder))
    assert max(map(len, parts)) < 2 * CHUNK
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as packed:
        assert packed.testzip() is None
        assert set(packed.namelist()) == {
            f"charts-0123/{name}" for name in ("preferences.jsonl", "images/a.png", "manifest.json")
        }
        assert packed.read("charts-0123/preferences.jsonl") == b"{}\n{}\n"


def test_links_out_of_the_folder_are_not_packed(workspace, tmp_path):
    folder, secret = make(workspace, "charts-0123"), tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    (folder / "link.txt").symlink_to(secret)
    with zipfile.ZipFile(io.BytesIO(b"".join(archive(folder)))) as packed:
        assert "charts-0123/link.txt" not in packed.namelist()


@pytest.mark.parametrize("name", ["..", ".", "", "../runs", "a/b", ".hidden", "none", "linked"])
def test_only_exports_are_found(workspace, tmp_path, name):
    make(workspace, "charts-0123")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "manifest.json").write_text("{}", encoding="utf-8")
    (workspace.exports / "linked").symlink_to(outside)
    assert find_export(workspace, "charts-0123").name == "charts-0123"
    with pytest.raises(NotFoundError):
        find_export(workspace, name)


def test_the_list_tells_date_size_and_rows(workspace):
    folder = make(workspace, "charts-0123", rows=3, exported_at=1_700_000_000.5)
    kept = describe(folder)
    assert (kept.rows, kept.format, kept.made_at) == (3, "jsonl", 1_700_000_000.5)
    assert kept.size > 3 * CHUNK
    make(workspace, "charts-4567")
    newest, number = newest_exports(workspace, 1)
    assert number == 2 and len(newest) == 1
