"""The candidates command, on the embedded model: answers in the library, one JSON object, refusals."""

from __future__ import annotations

import json

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.records import ItemFilter
from studio.cli.main import main
from studio.core.paths import Workspace


@pytest.fixture
def candidates(tmp_path, capsys):
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["candidates", *arguments, "--workspace", str(tmp_path)])
        return code, *capsys.readouterr()

    return call


def test_a_model_writes_into_the_library_and_says_what_came_of_it(candidates, tmp_path):
    asked = ("embedded", "--data", "embedded:heldout", "--limit", "2", "--max-new-tokens", "12")
    how = ("-k", "3", "--temperature", "2", "--recipe", "greedy+hot", "--dataset", "mine")
    code, out, err = candidates(*asked, *how, "--json")
    found = json.loads(out)
    assert code == 0 and found["id"] in err
    assert (found["state"], found["rows"], found["answers"]) == ("finished", 2, 6)
    assert found["writers"] == ["base"] and found["dataset"] == "mine"
    store = AnnotationStore(Workspace.named(tmp_path).database_url)
    items = store.browse(ItemFilter(dataset="mine"))
    written = [one for item in items for one in item.candidates if one.decoding]
    assert len(written) == 6 - found["repeats"] - found["empty"] and len(items) == 2
    assert all(one.author == "base" and one.tokens for one in written)
    assert all(one.decoding["temperature"] in (0.0, 2.0) for one in written)
    store.close()
    code, out, _ = candidates("--list")
    assert code == 0 and found["id"] in out and "base → mine" in out
    code, out, err = candidates("--resume", found["id"])  # nothing is written twice
    assert code == 0 and "6 answers to 2 rows" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Who writes"),
        (("embedded@nobody", "--data", "embedded:heldout"), "no run 'nobody'"),
        (("embedded", "--data", "embedded:heldout", "--rule", "best"), "no rule 'best'"),
        (("embedded", "--data", "embedded:heldout", "--rule", "margin"), "base and one adapter"),
        (("embedded", "--data", "library:nothing"), "no dataset 'nothing'"),
        (("--resume", "nothing"), "no evaluation 'nothing'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_model_is_loaded(candidates, arguments, said):
    code, _, err = candidates(*arguments, *(["--limit", "1"] if arguments else []))
    assert code != 0 and said in err
