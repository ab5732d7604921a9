"""Labels of another workspace come along when asked for, and once."""

from __future__ import annotations

import uuid

from studio.annotation import AnnotationStore, ItemFilter, LabelEvent
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.source_import import import_source, preview_source
from tests.annotation.library.conftest import other_workspace


def answer(library, external_id: str, annotator: str, text: str, **more) -> None:
    item = next(one for one in library.browse() if one.external_id == external_id)
    pair = item.pairs[0]
    winner = next(one.id for one in item.candidates if one.text == text)
    event = LabelEvent(uuid.uuid4().hex, pair.id, annotator, "choose", winner, **more)
    library.save(event)


def test_labels_come_along_when_asked_for_and_only_once(tmp_path, folder, workspace, library):
    other = other_workspace(tmp_path, folder)
    theirs = AnnotationStore(other.database_url, clock=lambda: 1_000.0)
    first, second = (item.external_id for item in theirs.browse(ItemFilter(dataset="pairs")))
    answer(theirs, first, "ana", "y", strength="clearly", reason="nearer", edit="y, said better")
    answer(theirs, second, "ana", "x")
    answer(theirs, second, "ben", "y")
    theirs.close()
    assert preview_source(str(other.root), workspace).labels == {"ana": 2, "ben": 1}
    assert import_source(str(other.root), workspace, library).labels is None
    assert [len(item.candidates) for item in library.browse()] == [2, 2] and not library.history(
        "ana"
    )
    answer(library, second, "ben", "x")
    report = import_source(str(other.root), workspace, library, labels=True)
    assert report.labels == Brought(added=2, answered=1)
    (_, kept) = library.history("ana")
    assert (kept.winner, kept.reason, kept.created_at) == ("y", "nearer", 1_000.0)
    rows = {(row.chosen.text, row.rejected.text) for row in library.preferences("pairs")}
    assert ("y, said better", "y") in rows and ("y", "x") in rows
    again = import_source(str(other.root), workspace, library, labels=True)
    assert again.labels == Brought(unchanged=2, answered=1) and again.unchanged == 2
    few = import_source(str(other.root), workspace, library, labels=True, limit=1, name="few")
    assert few.labels == Brought(unchanged=1, homeless=2)
