"""One row for each annotator: the majority decides, whatever the order of the lines."""

from __future__ import annotations

import csv
import json

import pytest

from studio.annotation import ItemFilter
from studio.annotation.library.source_import import import_source
from studio.annotation.library.trainable_rows import POLICY

PAIR = {"image": "a.png", "text_a": "It is red.", "text_b": "It is blue."}
LETTERS = {"A": "left", "B": "right"}


def potato(who: str, side: str, item: str) -> dict:
    return {
        **PAIR, "user_id": who, "instance_id": item, "displayed_text": f"Which {item}?",
        "label_annotations": {"preference": {side: "true"}}, "span_annotations": [],
    }  # fmt: skip


def label_studio(who: str, side: str, item: str) -> dict:
    return {
        "image": "a.png", "prompt": f"Which {item}?", "answer1": "It is red.",
        "answer2": "It is blue.", "id": item, "annotation_id": ord(who), "annotator": who,
        "pw": LETTERS[side], "created_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip


def prodigy(who: str, side: str, item: str, **more) -> dict:
    return {
        "image": "a.png", "prompt": f"Which {item}?", "answer": "accept", "accept": [side],
        "options": [{"id": "A", "text": "It is red."}, {"id": "B", "text": "It is blue."}],
        "_annotator_id": who, "_timestamp": 1767323045, **more,
    }  # fmt: skip


def prodigy_hashed(who: str, side: str, item: str) -> dict:
    return prodigy(who, side, item, _task_hash=item)


def studio(who: str, side: str, item: str) -> dict:
    return {
        "pair": 1, "id": item, "images": ["a.png"], "question": f"Which {item}?", "annotator": who,
        "answers": [{"text": "It is red.", "author": "m"}, {"text": "It is blue.", "author": "n"}],
        "kind": "choose", "preferred": "AB".index(side), "at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip


FORMATS = [studio, potato, label_studio, prodigy, prodigy_hashed]
VOTES = {"AB": None, "ABB": "It is blue.", "AAB": "It is red.", "BBB": "It is blue."}
WANTED = {f"Which {votes}?": better for votes, better in VOTES.items()}


def preferred(library, dataset: str) -> dict[str, str | None]:
    found = {}
    for item in library.browse(ItemFilter(dataset=dataset)):
        (pair,) = item.pairs
        texts = {candidate.id: candidate.text for candidate in item.candidates}
        assert item.question not in found
        found[item.question] = texts.get(pair.source_choice_id)
    return found


@pytest.mark.parametrize("make", FORMATS)
def test_the_majority_of_the_people_is_what_the_source_prefers(make, folder, workspace, library):
    path = folder / "rows.jsonl"
    votes = [(*vote, item) for item in VOTES for vote in zip("xyz", item, strict=False)]
    by_side = sorted(votes, key=lambda vote: vote[1])
    for number, order in enumerate((votes, votes[::-1], by_side, by_side[::-1])):
        path.write_text("\n".join(json.dumps(make(*vote)) for vote in order), encoding="utf-8")
        report = import_source(str(path), workspace, library, name=f"order {number}")
        assert preferred(library, f"order {number}") == WANTED
        assert report.given_labels.found == {"x": 4, "y": 4, "z": 3}
        assert all(use.role == "labels" for use in report.fields if "preference" in use.path)
    again = import_source(str(path), workspace, library, name="order 0", labels=True)
    assert (again.unchanged, again.changed_count, again.metadata) == (4, 0, 0)
    assert preferred(library, "order 0") == WANTED


def test_a_table_of_label_studio_is_decided_by_the_majority(folder, workspace, library):
    rows = [label_studio(who, side, "ABB") for who, side in zip("xyz", "ABB", strict=True)]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    import_source(str(folder / "rows.csv"), workspace, library, name="table")
    assert preferred(library, "table") == {"Which ABB?": "It is blue."}


def test_the_vote_of_somebody_else_on_a_row_that_is_here_is_a_label(folder, workspace, library):
    path = folder / "rows.jsonl"
    for who, side in (("x", "A"), ("y", "B"), ("z", "B")):
        path.write_text(json.dumps(potato(who, side, "i0")), encoding="utf-8")
        report = import_source(str(path), workspace, library, name="files", labels=True)
        assert report.changed_count == 0 and report.labels.added == 1
    (row,) = library.decided_preferences("files", POLICY).rows
    assert row.chosen.text == "It is blue."
    path.write_text(json.dumps(potato("x", "B", "i1")), encoding="utf-8")
    import_source(str(path), workspace, library, name="unasked")
    path.write_text(json.dumps(potato("y", "A", "i1")), encoding="utf-8")
    assert import_source(str(path), workspace, library, name="unasked").changed_count == 1
