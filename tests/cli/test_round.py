"""`python -m studio round`: begun, listed and shown; what is wrong is a sentence."""

import json

from studio.cli.main import main

START = [
    "round", "start", "embedded", "--data", "embedded:unlabelled", "--goal", "embedded:heldout",
    "--template", "fix-a-habit",
]  # fmt: skip


def test_a_round_is_begun_with_its_settings_and_found_again(tmp_path, capsys):
    where = ["--workspace", str(tmp_path), "--json"]
    given = ["--rows", "5", "--set", "temperature=1.2", "--set", "schedule.epochs=2"]
    assert main([*START, *given, *where]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["next"] == "candidates" and made["settings"]["temperature"] == 1.2
    assert made["settings"]["training"][-1] == "schedule.epochs=2"
    assert main(["round", "list", *where]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["rounds"]
    assert listed["round_id"] == made["round_id"] and listed["settings"] == made["settings"]
    assert main(["round", "show", made["round_id"][:15], "--workspace", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "Nothing is written yet" in said.out and "round step" in said.err
    assert main(["round", "next", *where]) == 1
    assert "not decided yet" in capsys.readouterr().err


def test_what_cannot_be_is_told_before_anything_is_made(tmp_path, capsys):
    where = ["--workspace", str(tmp_path)]
    assert main([*START, "--set", "answers=0", *where]) == 2
    assert "Answers a row" in capsys.readouterr().err
    assert main([*START, "--template", "magic", *where]) == 2
    assert "fewer-hallucinations" in capsys.readouterr().err
    assert main(["round", "show", *where]) == 2
    assert "no round" in capsys.readouterr().err
    assert main(["demo", "--rounds", "2", "--continue", *where]) == 2
