"""Commands as a person types them: exit codes, what goes to which stream."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.runs.control import command_file
from studio.runs.status import update_status
from studio.runs.store import RunStore

SAMPLE = "assets/samples/sft/images"


def write(tmp_path, values) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch": {"per_devise": 1}}, "batch.per_device"),
        ({"adapter": None, "model": {"quantization": "nf4"}}, "adapter"),
        ({"data": {"source": "/no/such/rows.jsonl"}}, "data.source"),
        ({"model": {"id": "/no/such/model"}}, "model.id"),
    ],
)
def test_bad_run_files_exit_with_2_and_name_the_field(tmp_path, capsys, values, said):
    workspace = tmp_path / "workspace"
    code = main(["train", write(tmp_path, values), "--workspace", str(workspace)])
    captured = capsys.readouterr()
    assert code == 2 and said in captured.err and "Traceback" not in captured.err
    assert captured.out == "" and list((workspace / "runs").glob("*")) == []


def test_wrong_usage_exits_with_2(capsys):
    assert main(["train"]) == 2
    assert main(["no-such-command"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_set_changes_the_run_file(tmp_path, capsys):
    path = write(tmp_path, {"batch": {"per_device": 4, "total": 16}})
    code = main(["plan", path, "--set", "batch.total=8", "--json", "--workspace", str(tmp_path)])
    plan = json.loads(capsys.readouterr().out)
    assert code == 0 and plan["effective_batch"] == 8 and plan["accumulation"] == 2
    assert plan["tokens_per_sample"] > 0 and plan["steps"] > 0 and plan["warnings"] == []
    assert 0 < plan["trainable_parameters"] < plan["total_parameters"]
    assert plan["seconds_per_step"] is None and plan["peak_measured"] is None
    assert set(plan["modules"]) == {"vision", "projector", "language", "head"}
    assert plan["modules"]["language"]["trainable"] == plan["trainable_parameters"]
    *parts, total = plan["memory"].values()
    assert list(plan["memory"])[-1] == "total" and total == sum(parts)


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


def test_a_dry_run_that_is_refused_leaves_no_run(tmp_path, capsys):
    values = {"data": {"source": "embedded:sft"}}
    values["launch"] = {"engine": "hf-jobs:t4-small", "secrets": []}
    workspace = ["--workspace", str(tmp_path / "workspace")]
    assert main(["submit", write(tmp_path, values), "--dry-run", *workspace]) == 2
    assert "launch.secrets" in capsys.readouterr().err
    assert RunStore(Workspace.locate(tmp_path / "workspace")).list() == []


def test_a_damaged_run_file_does_not_hide_the_other_runs(tmp_path, capsys):
    store = RunStore(Workspace.locate(tmp_path))
    broken, fine = (store.create(RunConfig(name=name), state="stopped") for name in ("b", "f"))
    broken.paths.config.write_text("metod: sft\n")
    assert main(["runs", "list", "--workspace", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert broken.run_id in shown and fine.run_id in shown
    assert main(["runs", "list", "--json", "--workspace", str(tmp_path)]) == 0
    told = {run["run_id"]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    assert told[fine.run_id]["method"] == "sft"
    assert told[broken.run_id]["method"] is None and "metod" in told[broken.run_id]["problem"]


def test_what_a_run_is_asked_for_is_said_as_it_is(tmp_path, capsys):
    store, place = RunStore(Workspace.locate(tmp_path)), ["--workspace", str(tmp_path)]
    run = store.create(RunConfig())
    assert main(["runs", "save", run.run_id, *place]) == 1
    assert "queued: there is nothing to save" in capsys.readouterr().err
    for said in ("is off the queue", "is stopped already"):
        assert main(["runs", "stop", run.run_id, *place]) == 0
        assert said in capsys.readouterr().err
    update_status(run.paths, state="running")
    assert main(["runs", "save", run.run_id, *place]) == 0
    assert main(["runs", "stop", run.run_id, *place]) == 0
    assert command_file.requested(run.paths) == "stop"
    assert "stops after the current step" in capsys.readouterr().err


def test_a_workspace_that_cannot_be_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["runs", "list", "--workspace", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'file'} cannot be used" in said and "--workspace" in said


def test_runs_of_an_empty_workspace(tmp_path, capsys):
    assert main(["runs", "list", "--json", "--workspace", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert main(["runs", "show", "nope", "--workspace", str(tmp_path)]) == 2


def test_the_help_needs_no_torch():
    script = (
        "import sys; from studio.cli.main import main; main(['--help']);"
        "sys.exit(bool({'torch', 'transformers', 'gradio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def test_chat_asks_base_and_adapter_folder_errors_are_clear(tmp_path, capsys):
    image = str(next(Path(SAMPLE).glob("*.png")))
    place = ["--workspace", str(tmp_path)]
    assert main(["chat", "embedded", "What kind of chart is this?", "--image", image, *place]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["chat", "embedded", "x", "--image", "/no/image.png", *place]) == 2
    assert main(["chat", "embedded", "x", "--adapter", "nope", *place]) == 2


@pytest.mark.parametrize("before", [True, False])
def test_the_workspace_of_the_group_is_that_of_its_commands(tmp_path, capsys, monkeypatch, before):
    monkeypatch.chdir(tmp_path)
    run = RunStore(Workspace.locate(tmp_path / "mine")).create(RunConfig(name="here"))
    place = ["--workspace", str(tmp_path / "mine"), "--json"]
    for command in (["list"], ["show", run.run_id]):
        asked = ["runs", *place, *command] if before else ["runs", *command, *place]
        assert main(asked) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["runs"][0] if "runs" in said else said)["run_id"] == run.run_id
    other = ["--workspace", str(tmp_path / "other")]
    assert main(["runs", *other, "list", *place]) == 0, "a command's own comes first"
    assert json.loads(capsys.readouterr().out)["runs"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["mine"]


def test_an_option_of_the_group_that_a_command_lacks_is_refused(tmp_path, capsys):
    assert main(["runs", "--workspace", str(tmp_path), "--json", "stop", "some-run"]) == 2
    assert "stop has no option --json" in capsys.readouterr().err


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
