"""Labels that come with rows: counted, brought once, and under nobody else's name."""

from __future__ import annotations

import json

import pytest

from studio.annotation import LabelEvent
from studio.annotation.library.imported_labels import GivenLabels, LabelSpool
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.source_import import import_source, preview_source
from studio.core.errors import InputError
from studio.data.schema import Answer, GivenLabel
from tests.annotation.conftest import make_row


def task(number: int, *said: tuple[str, str]) -> dict:
    """A pairwise task of Label Studio with what people said."""
    return {
        "id": number,
        "data": {"prompt": f"Which {number}?", "answer1": "yes", "answer2": "no"},
        "annotations": [
            {
                "completed_by": {"email": who},
                "result": [
                    {"type": "pairwise", "from_name": "c", "to_name": "answer1,answer2",
                     "value": {"selected": selected}}
                ],
                "created_at": "2025-01-02T03:04:05Z",
            }
            for who, selected in said
        ],
    }  # fmt: skip


@pytest.fixture
def labelled(tmp_path):
    """Writes tasks; returns the path."""

    def write(*tasks: dict) -> str:
        path = tmp_path / "project.json"
        path.write_text(json.dumps(list(tasks)), encoding="utf-8")
        return str(path)

    return write


def test_labels_are_counted_and_come_when_asked_for_and_only_once(labelled, workspace, library):
    path = labelled(task(1, ("ana", "left"), ("ben", "right")), task(2, ("ana", "right")))
    assert preview_source(path, workspace).labels == {"ana": 2, "ben": 1}
    report = import_source(path, workspace, library)
    assert report.labels is None and report.given_labels == GivenLabels({"ana": 2, "ben": 1})
    assert library.history("ana") == []
    brought = import_source(path, workspace, library, labels=True)
    assert brought.labels == Brought(added=3) and brought.given_labels.brought
    assert [(one.winner, one.created_at) for one in library.history("ana")] == [
        ("no", 1735787045.0), ("yes", 1735787045.0)
    ]  # fmt: skip
    again = import_source(path, workspace, library, labels=True)
    assert again.labels == Brought(unchanged=3) and not again.given_labels.refused


def test_an_answer_changed_there_does_not_replace_the_one_here(labelled, workspace, library):
    before = labelled(task(1, ("ana", "left"), ("ben", "right")))
    import_source(before, workspace, library, labels=True)
    after = labelled(task(1, ("ana", "right"), ("ben", "left")))
    report = import_source(after, workspace, library, labels=True)
    assert report.labels == Brought(answered=2)
    assert library.history("ana")[0].winner == "yes"


def test_a_row_that_is_there_once_for_each_annotator_is_one_row_with_all_labels(
    tmp_path, workspace, library
):
    row = {
        "prompt": "Which?", "answer1": "yes", "answer2": "no",
        "created_at": "2025-01-02T03:04:05Z", "annotation_id": 11,
    }  # fmt: skip
    rows = [
        {**row, "id": 5, "annotator": 1, "pairwise": "left"},
        {**row, "id": 5, "annotator": 2, "pairwise": "right"},
        {**row, "id": 5, "prompt": "And this?", "annotator": 2, "pairwise": "right"},
        {**row, "id": 6, "annotator": 1, "pairwise": "right"},
    ]
    path = tmp_path / "min.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    report = import_source(str(path), workspace, library, labels=True)
    assert report.added == 3 and report.labels == Brought(added=4)
    assert "1 row repeats another one with the label of somebody else" in report.notes[-1]
    votes = {item.external_id: item.labels for item in library.browse()}
    assert votes == {"5": 2, "5#3": 1, "6": 1}
    again = import_source(str(path), workspace, library, labels=True)
    assert (again.unchanged, again.labels) == (3, Brought(unchanged=4))


def test_a_name_of_somebody_here_is_refused_until_the_lead_says_who_it_is(
    labelled, workspace, library
):
    path = labelled(task(1, ("Ana", "left"), ("ben", "right")), task(2))
    import_source(path, workspace, library)
    second = library.browse()[1].pairs[0]
    library.save(LabelEvent("of-ana", second.id, "ana", "tie"))
    report = import_source(path, workspace, library, labels=True, accounts=("ben",))
    assert report.labels == Brought() and report.given_labels.refused == {"Ana": 1, "ben": 1}
    named = {"Ana": "ana", "ben": "Ben of Label Studio"}
    report = import_source(
        path, workspace, library, labels=True, accounts=("ben",), labels_as=named
    )
    assert report.labels == Brought(added=2) and not report.given_labels.refused
    assert [one.winner for one in library.history("ana")] == ["yes", ""]
    assert library.history("Ben of Label Studio")[0].winner == "no"
    assert library.history("ben") == []


def test_somebody_who_was_handed_a_pair_has_their_name(labelled, workspace, library):
    path = labelled(task(1, ("ana", "left")))
    import_source(path, workspace, library)
    assert library.claim("ana") is not None
    report = import_source(path, workspace, library, labels=True)
    assert report.given_labels.refused == {"ana": 1}


def test_a_name_that_nobody_can_have_is_refused_before_anything_is_read(
    labelled, workspace, library
):
    path = labelled(task(1, ("ana", "left")))
    with pytest.raises(InputError, match="name of an annotator"):
        import_source(path, workspace, library, labels=True, labels_as={"ana": " "})
    assert library.datasets() == []


def test_labels_follow_a_row_that_comes_in_under_another_id(labelled, workspace, library):
    import_source(labelled(task(1)), workspace, library)
    other = task(1, ("ana", "left"))
    other["data"]["prompt"] = "Another question?"
    path = labelled(other)
    report = import_source(path, workspace, library, labels=True)
    assert report.changed_count == 1 and report.labels == Brought()
    assert report.given_labels.of_changed == 1 and library.history("ana") == []
    report = import_source(path, workspace, library, labels=True, on_change="new")
    assert report.labels == Brought(added=1)
    assert [item.labels for item in library.browse()] == [0, 1]


def test_the_same_file_in_two_datasets_brings_its_labels_to_both(labelled, workspace, library):
    path = labelled(task(1, ("ana", "left")))
    for name in ("one", "two"):
        report = import_source(path, workspace, library, labels=True, name=name)
        assert report.labels == Brought(added=1)


def test_a_name_and_a_comment_that_no_database_takes_stop_nothing(store):
    sides = (Answer("yes"), Answer("no"))
    labels = tuple(
        GivenLabel(name, sides, sides[0], comment=comment)
        for name, comment in (("ana\0", "hm \ud800"), (" ", "x" * 200_000))
    )
    row = make_row(1, candidates=sides, labels=labels)
    with LabelSpool(wanted=True) as spool:
        with store.importing("charts") as batch:
            batch.add(row)
            spool.add(row)
        (some,) = spool.labels("charts", {}, (), {}, (), 5.0)
    assert store.bring_labels("charts", some) == Brought(added=2)
    assert spool.found == {"ana\ufffd": 1, "unnamed": 1}
    assert store.history("ana\ufffd")[0].winner == "yes"
