"""Rows brought in and labelled pairs taken out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from studio.annotation import AnnotationStore
from studio.api.access.accounts import add_user
from studio.cli.main import main
from studio.core.paths import Workspace


def test_import_label_export_round(tmp_path, capsys):
    place = ["--workspace", str(tmp_path), "--json"]
    assert main(["import", "embedded:preferences", *place]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["added"] > 0 and first["bad"] == []
    assert main(["import", "embedded:preferences", *place]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 0
    assert main(["export", "--dataset", first["dataset"], "--include-imported", *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["rows"] == first["added"] and made["source"].startswith("exports/")
    asked = ["--include-imported", "--evaluation-share", "0", "--name", "all-of-it"]
    assert main(["export", *asked, *place]) == 0  # the only dataset need not be named
    manifest = Path(json.loads(capsys.readouterr().out)["path"]) / "manifest.json"
    assert list(json.loads(manifest.read_text())["rows"]) == ["train"]
    assert main(["import", "embedded:unlabelled", *place]) == 0
    capsys.readouterr()
    assert main(["export", *place]) == 2
    said = capsys.readouterr().err
    assert "There are 2 with pairs" in said and first["dataset"] in said
    with closing(AnnotationStore(Workspace.locate(tmp_path).database_url)) as store:
        assert [line.action for line in store.team.log()].count("export") == 2


def test_an_export_for_another_tool_says_what_it_does_not_hold(tmp_path, capsys):
    place = ["--workspace", str(tmp_path)]
    assert main(["import", "embedded:preferences", *place]) == 0
    capsys.readouterr()
    asked = ["export", "--include-imported", "--format", "ms-swift", *place]
    assert main([*asked, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["not_held"]["ids"] == made["rows"]
    assert (Path(made["path"]) / "preferences.jsonl").is_file()
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "ms-swift holds no names of rows" in said
    assert f"left out in {made['rows']} rows." in said
    assert main(["export", "--shape", "ranked", "--format", "openai", *place]) == 2
    assert "Export ranked as: jsonl." in capsys.readouterr().err


def rows_file(place: Path, name: str, *rows: dict) -> str:
    path = place / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def run(capsys, *arguments: str) -> str:
    """Run a command that succeeds; what it printed."""
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_corrected_file_asks_and_then_does_what_was_decided(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w"), "--name", "x"]
    first = rows_file(tmp_path, "a.jsonl", {"id": 7, "question": "Colour?", "answer": "Rde."})
    fixed = rows_file(
        tmp_path, "b.jsonl", {"id": 7, "question": "Colour?", "answer": "Red."},
        {"id": 8, "question": "Shape?", "answer": "Round."},
    )  # fmt: skip
    run(capsys, "import", first, *place)
    said = run(capsys, "import", fixed, *place)
    assert "1 row added to x" in said and "7: reference answer: “Rde.” → “Red.”" in said
    assert "--changed update" in said and "--changed keep" in said and "--changed new" in said
    told = json.loads(run(capsys, "import", fixed, *place, "--json"))
    assert (told["changed_count"], told["added"], told["unchanged"]) == (1, 0, 1)
    assert told["changed"] == [
        {"id": "7", "what": ["reference answer"], "brought_as": None,
         "changes": [{"what": "reference answer", "before": "Rde.", "after": "Red."}]}
    ]  # fmt: skip
    said = run(capsys, "import", fixed, *place, "--changed", "update")
    assert "updated, with the old texts in the history" in said
    assert "0 rows added to x, 2 already there." in run(capsys, "import", fixed, *place)
    assert main(["import", fixed, *place, "--changed", "perhaps"]) == 2
    noted = rows_file(tmp_path, "c.jsonl", {"id": 7, "question": "Colour?", "answer": "Red.",
                                            "note": "seen"})  # fmt: skip
    said = run(capsys, "import", noted, *place)
    assert "differs from what is here" in said and "7: note: “” → “seen”" in said
    told = json.loads(run(capsys, "import", noted, *place, "--json"))
    assert told["beside"][0]["changes"] == [{"what": "note", "before": "", "after": "seen"}]


def test_a_preview_says_what_would_be_read_and_writes_nothing(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w")]
    row = {
        "question": "Colour?",
        "answer": "Red.",
        "notes": "x" * 200_000,
        "topic": "t",
        "extra": None,
    }
    bad = {"question": "", "answer": "Red.", "image": "x.png", "lens": "35 mm"}
    path = rows_file(tmp_path, "a.jsonl", row, bad)
    said = run(capsys, "import", path, *place, "--preview")
    assert "Columns: " in said and "question=question" in said and "answer: “Red.”" in said
    assert "not used: column `notes` in 1 row (" in said and "`topic`" in said
    assert "empty in every row read: `extra`" in said
    assert "only in rows that cannot be used: `image`, `lens`" in said
    assert "Nothing was imported" in said
    told = json.loads(run(capsys, "import", path, *place, "--preview", "--json"))
    assert {field["path"]: field["lost"] for field in told["fields"]}["notes"] == 1
    with closing(AnnotationStore(Workspace.locate(tmp_path / "w").database_url)) as store:
        assert store.datasets() == []


def test_every_field_and_grouped_reasons_are_told(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w")]
    good = {"question": "Colour?", "answer": "Red.", "notes": "x" * 200_000}
    bad = [{**good, "image": f"{n}.png"} for n in range(3)]
    path = rows_file(tmp_path, "a.jsonl", good, *bad)
    assert main(["import", path, *place]) == 0
    said = capsys.readouterr()
    assert "not used: column `notes`" in said.out
    assert "3 rows left out: " in said.err and "(lines 2, 3, 4; for example: " in said.err
    told = json.loads(run(capsys, "import", path, *place, "--json"))
    assert [(group["count"], group["lines"]) for group in told["reasons"]] == [(3, [2, 3, 4])]
    assert told["left_out"] == 3


def test_paths_several_columns_and_constants_are_mapped_and_kept(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w")]
    row = {"data": {"ask": "Colour?"}, "made": {"text": "Red."}, "a": "1", "b": "2"}
    path = rows_file(tmp_path, "a.jsonl", row)
    columns = ["--column", "question=data.ask", "--column", "answer=made.text"]
    told = json.loads(run(capsys, "import", path, *place, *columns, "--json"))
    assert told["added"] == 1 and told["columns_from"] == "given"
    said = run(capsys, "import", path, *place)
    assert "Using the columns chosen before: question=data.ask, answer=made.text" in said
    assert "1 already there" in said
    constant = ["--column", "question==What is it?", "--name", "other"]
    run(capsys, "import", path, *place, *constant, "--column", "answer=made.text")
    with closing(AnnotationStore(Workspace.locate(tmp_path / "w").database_url)) as store:
        assert [item.question for item in store.browse()] == ["Colour?", "What is it?"]


def test_labels_of_a_file_come_under_names_that_nobody_here_has(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w")]
    accounts = tmp_path / "accounts.yaml"
    add_user(accounts, "ana", "lead", "a long enough password")
    task = {
        "id": 1, "data": {"prompt": "Which?", "answer1": "yes", "answer2": "no"},
        "annotations": [{"completed_by": {"email": who}, "result": [
            {"type": "pairwise", "value": {"selected": "left"}}]} for who in ("ana", "ben")],
    }  # fmt: skip
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([task]), encoding="utf-8")
    said = run(capsys, "import", str(path), *place)
    assert "2 labels of 2 people left out (ana 1, ben 1): --labels brings them." in said
    named = ["--labels", "--auth", str(accounts)]
    said = run(capsys, "import", str(path), *place, *named)
    assert "Labels: 1 added." in said and "1 label of ana left out: somebody here" in said
    told = json.loads(
        run(capsys, "import", str(path), *place, *named, "--labels-as", "ana=ana", "--json")
    )
    assert told["labels"]["added"] == 1 and told["given_labels"]["refused"] == {}
    assert main(["import", str(path), *place, "--labels-as", "ana"]) == 2


def test_next_steps_are_commands(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "w")]
    rows = [
        {"question": "A?", "chosen": "yes", "rejected": "no"},
        {"question": "B?", "answer": "yes"},
    ]
    path = rows_file(tmp_path, "a b.jsonl", *rows)
    said = run(capsys, "import", path, *place)
    assert "Next: train DPO on 1 pair:  python -m studio train" in said
    assert "'data.source=library:a b'" in said and f"--workspace {tmp_path / 'w'}" in said
    told = json.loads(run(capsys, "import", path, *place, "--json"))
    assert (told["next"]["preferences"], told["next"]["answers"]) == (1, 2)


def test_a_folder_of_images_that_is_not_there_is_refused(tmp_path, capsys):
    path = rows_file(tmp_path, "a.jsonl", {"question": "A?", "answer": "yes"})
    place = ["--workspace", str(tmp_path / "w"), "--images", str(tmp_path / "none")]
    assert main(["import", path, *place]) == 2
    assert "There is no folder" in capsys.readouterr().err
