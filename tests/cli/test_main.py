"""The command line as a whole: exit codes, the help, and what reading leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.cli.main import main


def test_wrong_usage_exits_with_2(capsys):
    assert main(["train"]) == 2
    assert main(["no-such-command"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_a_workspace_that_cannot_be_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["runs", "list", "--workspace", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'file'} cannot be used" in said and "--workspace" in said


def test_the_help_needs_no_torch():
    script = (
        "import sys; from studio.cli.main import main; main(['--help']);"
        "sys.exit(bool({'torch', 'transformers', 'gradio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ["runs"],
        ["runs", "list"],
        ["runs", "show", "none"],
        ["runs", "queue"],
        ["runs", "script", "none"],
        ["runs", "stop", "none"],
        ["runs", "resume", "none"],
        ["backup", "copy.db"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_looking_makes_no_workspace(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STUDIO_WORKSPACE", raising=False)
    main(command)
    main([*command, "--workspace", "elsewhere"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["accounts", "a.yaml", "ann", "--list"], "--list"),
        (["accounts", "a.yaml", "ann", "--remove", "--role", "lead"], "--remove"),
        (["submit", "run.yaml", "--namespace", "us"], "--dry-run"),
        (["check", "embedded:sft", "--same-base"], "--adapter"),
        (["check", "embedded:sft", "--method", "dpo"], "--adapter"),
        (["check", "library:mine", "--limit", "3"], "limit"),
        (["chat", "embedded", "What?", "--compare"], "--adapter"),
        (["runs", "queue", "--pause", "--go"], "--go"),
    ],
    ids=" ".join,
)
def test_an_option_that_would_do_nothing_is_refused(tmp_path, monkeypatch, capsys, command, said):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert said in capsys.readouterr().err
