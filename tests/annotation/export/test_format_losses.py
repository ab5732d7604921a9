"""What a format has no place for is counted, said in words and written down."""

from __future__ import annotations

import json

import pytest

from studio.annotation.export.format_losses import THINGS, losses, say_losses
from studio.annotation.export.formats.format_table import FILES
from tests.annotation.export.conftest import export

CONVERSATIONS = {"system": 1, "turns": 1, "places": 1}
PLAIN = {"ids": 2, "authors": 1, "votes": 2, "labels": 2, "meta": 1}


@pytest.mark.parametrize(
    ("format", "lost"),
    [
        ("jsonl", {"labels": 2}),
        ("parquet", {"labels": 2}),
        ("csv", {"labels": 2, "meta": 1, **CONVERSATIONS}),
        ("argilla", {"marks": 1, "seconds": 2}),
        ("label-studio", {}),
        ("ms-swift", PLAIN),
        ("llama-factory", PLAIN),
        ("openai", PLAIN),
    ],
)
def test_each_loss_is_counted_told_and_in_the_manifest_and_the_card(told, workspace, format, lost):
    made = export(told, workspace, format=format)
    assert made.not_held == lost
    manifest = json.loads((made.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest.get("not_held", {}) == lost
    assert (manifest["format"], manifest.get("format_version", "")) == (
        format,
        FILES[format].version,
    )
    card = (made.path / "README.md").read_text(encoding="utf-8")
    for line in say_losses(FILES[format], lost):
        assert line in card
    again = export(told, workspace, format=format)
    assert again == made


def test_one_sentence_for_each_number_of_rows():
    lost = {"ids": 3, "votes": 3, "meta": 1}
    assert say_losses(FILES["ms-swift"], lost) == [
        "ms-swift holds no names of rows or numbers of votes: left out in 3 rows.",
        "ms-swift holds no other columns of the source: left out in 1 row.",
    ]


def test_what_a_format_claims_to_hold_has_a_name(told, workspace):
    for format in FILES.values():
        assert format.holds <= set(THINGS)


def test_everything_people_said_as_json_lines_has_the_whole_conversation(told, workspace):
    made = export(told, workspace, shape="answers", format="jsonl")
    assert made.not_held == {}
    lines = (made.path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    records = {record["id"]: record for record in map(json.loads, lines)}
    assert [turn["role"] for turn in records["b"]["prompt"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert json.loads(records["a"]["meta"]) == {"topic": "colours", "image": "bar.png"}


def test_nothing_is_counted_of_nothing():
    from studio.annotation.export.export_contents import Contents

    assert losses(Contents("mine", "preferences", ()), frozenset()) == {}
