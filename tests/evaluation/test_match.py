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
    store.delete(made)
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
