"""Archives are checked before anything is unpacked."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import pytest

from studio.core.errors import DataError
from studio.data.sources import open_source
from tests.data.conftest import png

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
