"""Matches are kept in small files, found by the beginning of an id, and damaged ones named."""

import pytest

from studio.core.errors import InputError, NotFoundError
from studio.core.paths import Workspace
from studio.evaluation.match import Match, MatchPair, MatchStore


@pytest.fixture
def store(tmp_path):
    return MatchStore(Workspace.locate(tmp_path))


def match(match_id, **values):
    pair = MatchPair("row-1", ("base", "run@3"), "row-1")
    given = {
        "evaluation": "e1", "data": "rows", "dataset": "match", "contestants": ("base", "run@3"),
        "pairs": (pair,), "state": "open",
    }  # fmt: skip
    return Match(match_id, **given | values)


def test_a_match_is_read_as_it_was_written(store):
    made = match("20260101-000000-ab", left_out={"why": 2}, tells=("longer",))
    store.write(made)
    assert store.get("20260101") == made == store.of_evaluation("e1")
    assert store.of_run("run") == [made] and store.of_run("other") == []
    store.delete(made.match_id)
    assert store.list() == []


def test_what_cannot_be_found_or_read_is_said(store):
    store.write(match("20260101-a"))
    store.write(match("20260101-b"))
    with pytest.raises(InputError, match="2 matches begin"):
        store.get("2026")
    for name in ("", "x", "../20260101-a", "\0"):
        with pytest.raises(NotFoundError):
            store.get(name)
    (store.workspace.matches / "20260101-b.json").write_text('{"match_id": "20260101-b"}')
    with pytest.raises(InputError, match="damaged"):
        store.get("20260101-b")
    assert [one.match_id for one in store.list()] == ["20260101-a"]


def test_a_damaged_file_is_named_where_it_may_belong(store):
    store.write(match("20260101-a", evaluation="e1"))
    store.write(match("20260101-b", evaluation="e2"))
    whole = (store.workspace.matches / "20260101-a.json").read_text()
    assert store.damaged() == []
    (store.workspace.matches / "20260101-a.json").write_text(whole[: len(whole) // 2])
    (store.workspace.matches / "20260101-c.json").write_bytes(b"\0" * 40)
    assert store.damaged() == ["20260101-c", "20260101-a"]
    assert store.damaged("e1") == ["20260101-c", "20260101-a"]
    assert store.damaged("e2") == ["20260101-c"], "the other one still names its evaluation"
    store.delete("20260101-c")
    assert store.damaged("e2") == []
