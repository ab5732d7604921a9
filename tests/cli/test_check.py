"""`check` as people and scripts run it."""

from __future__ import annotations

import json

import pytest

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.core.paths import Workspace
from studio.data.checked_rows import source_rows
from tests.preflight.conftest import drawing, saved

PAIR = {"chosen": "a longer answer", "rejected": "no"}


@pytest.fixture
def pairs(tmp_path):
    """Four pairs, the last one twice, and an image that is none; returns the path."""
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.png").write_bytes(saved(drawing(seed)))
    (tmp_path / "no.png").write_bytes(b"nothing")
    rows = [("a", "one?"), ("b", "two?"), ("a", "three?"), ("b", "four?"), ("b", "four?")]
    lines = [json.dumps({"image": f"{name}.png", "question": q, **PAIR}) for name, q in rows]
    lines.append(json.dumps({"image": "no.png", "question": "five?", **PAIR}))
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "pairs.jsonl")


@pytest.fixture
def run(tmp_path, capsys):
    """Runs `check` in a workspace of its own; exit code, standard output and error."""

    def runner(*arguments: str) -> tuple[int, str, str]:
        code = main(["check", *arguments, "--workspace", str(tmp_path / "workspace")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return runner


def test_json_is_one_object_with_everything_promised(run, pairs):
    code, out, _ = run(pairs, "--json", "--max-length", "45")
    found = json.loads(out)
    assert code == 0 and found["rows"] == 6
    assert (found["duplicates"], found["unreadable"]) == (1, 1)
    assert {"median", "p95", "max", "image_share"} <= set(found["tokens"])
    assert 39 < found["tokens"]["median"] <= found["tokens"]["p95"] <= found["tokens"]["max"]
    assert 0 < found["tokens"]["image_share"] < 1
    assert found["length_bias"]["chosen_longer"] == 1 and found["length_bias"]["mean_gap"] > 0
    findings = {one["id"]: one for one in found["findings"]}
    for one in findings.values():
        assert set(one) - {"reasons"} == {"id", "severity", "rows", "message", "remedy"}
    assert findings["duplicates"]["rows"] == [5]
    assert findings["unreadable_images"]["rows"] == [6]
    assert findings["too_long"]["rows"] == [1, 2, 3, 4, 5]


def test_people_read_sentences(run, pairs):
    code, out, _ = run(pairs)
    assert code == 0
    assert "6 rows, 2 images, 1 unreadable, 1 repeated" in out
    assert "chosen is longer in 100% of 5 pairs" in out
    assert "row 6: not a PNG" in out and "rows 5" in out


def test_a_dataset_of_the_library_is_checked_by_name(run, pairs, tmp_path):
    place = Workspace.locate(tmp_path / "workspace")
    store = AnnotationStore(place.database_url)
    rows = [entry.row for entry in source_rows(pairs, place, limit=4).entries()]
    store.add_rows("mine", rows)
    store.close()
    code, out, _ = run("library:mine", "--json")
    assert code == 0 and json.loads(out)["numbers"] == "items"
    code, out, _ = run("library:mine?labelled")
    assert code == 0 and "There are no rows." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-file.jsonl"], "no-such-file.jsonl"),
        (["library:none"], "no dataset 'none'"),
        (["embedded:sft", "--model", "/no/such/model"], "/no/such/model"),
        (["embedded:sft", "--split", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_checked_ends_with_a_sentence(run, arguments, said):
    code, out, err = run(*arguments)
    assert code == 2 and out == ""
    assert said in err and "Traceback" not in err


def test_columns_that_are_not_used_are_named(run, tmp_path):
    rows = [{"question": f"{n}?", "answer": "yes", "notes": "x" * 200_000} for n in range(2)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    code, said, _ = run(str(path))
    assert code == 0 and "not used: column `notes` in 2 rows (" in said
    told = json.loads(run(str(path), "--json")[1])
    assert {use["path"]: use["lost"] for use in told["fields"]}["notes"] == 2
