"""Exports of a workspace, as their manifests tell them."""

from __future__ import annotations

import json

from studio.data.manifest import LIBRARY_SPEC, list_exports


def export(workspace, folder: str, **changes) -> None:
    path = workspace.exports / folder
    path.mkdir()
    manifest = {
        "format": "trl",
        "name": "n",
        "method": "sft",
        "rows": {"train": 1},
        "created_at": 1,
    }
    (path / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")


def test_the_newest_is_first_and_files_for_other_tools_are_left_out(workspace):
    export(workspace, "old-1", created_at=10)
    export(workspace, "new-2", created_at=20, **{LIBRARY_SPEC: "library:charts"})
    export(workspace, "csv-3", format="csv")
    export(workspace, ".building-4")
    (workspace.exports / "empty").mkdir()
    new, old = list_exports(workspace)
    assert (new.spec, old.spec) == ("exports/new-2", "exports/old-1")
    assert (new.automatic, old.automatic) == (True, False)
    assert old.rows == {"train": 1} and old.method == "sft"
