"""Records on disk, whole or absent."""

from pathlib import Path

import pytest

from studio.models.image_features.cache_files import read_record, write_record


def test_a_writer_killed_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "one.bin"
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_record(path, {}, b"12345")
    assert read_record(path) is None and not list(tmp_path.iterdir())
