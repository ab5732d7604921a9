"""The evaluate command: its one JSON object, its table, its refusals, Ctrl-C and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.core.paths import Workspace
from studio.evaluation import evaluation_worker
from studio.evaluation.evaluation_store import EvaluationStore
from tests.evaluation.small_evaluations import add_checkpoint, run_with_adapter
from tests.places import ROOT

HELDOUT = ("--data", "embedded:heldout", "--limit", "4", "--max-new-tokens", "8")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def evaluate(place, capsys):
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["evaluate", *arguments, "--workspace", str(place)])
        return code, *capsys.readouterr()

    return call


def test_the_base_alone_gives_one_object(evaluate):
    code, out, err = evaluate("embedded", *HELDOUT, "--json", "--rows")
    found = json.loads(out)
    assert code == 0 and found["rows"] == 4 and found["seconds"] > 0 and "paired" not in found
    for figure in found["metrics"].values():
        assert figure["low"] is None or figure["low"] <= figure["value"] <= figure["high"]
    assert "exact_match" in found["metrics"] and found["versions"]["transformers"]
    (record, *others) = found["records"]
    assert len(others) == 3 and record["question"] and record["answers"]["base"]["text"]
    assert found["id"] in err  # what it goes on with is known before it is needed


def test_an_adapter_against_base_is_paired(evaluate, place):
    run = run_with_adapter(Workspace.locate(place))
    asked = ("embedded", "--adapter", "small", "--against", "base", *HELDOUT)
    code, out, _ = evaluate(*asked, "--metrics", "exact_match,words", "--json")
    found = json.loads(out)
    assert code == 0 and found["model"] == run.run_id and found["against"] == "base"
    assert list(found["paired"]) == ["exact_match", "words"]
    assert set(found["paired"]["words"]) >= {"difference", "low", "high", "p", "verdict"}
    code, out, _ = evaluate("--show", found["id"])
    assert code == 0 and "Exact match" in out and f"{run.run_id}: Words: " in out


def test_evaluations_are_listed_and_shown_again(evaluate):
    code, out, err = evaluate("--list")
    assert (code, out) == (0, "") and "No evaluations yet" in err
    _, out, _ = evaluate("embedded", *HELDOUT, "--metrics", "words", "--json")
    name = json.loads(out)["id"]
    _, out, _ = evaluate("--list")
    assert name in out and "finished" in out and "4/4" in out
    _, out, _ = evaluate("--list", "--json")
    assert [one["id"] for one in json.loads(out)["evaluations"]] == [name]
    _, out, _ = evaluate("--show", name[:-2], "--json")
    assert json.loads(out)["metrics"]["words"]["rows"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["embedded"], "Give --data"),
        (["--data", "embedded:heldout"], "Which model?"),
        (["embedded", "--data", "/no/rows.jsonl"], "/no/rows.jsonl"),
        (["embedded", "--data", "embedded:sft", "--split", "nope"], "no split 'nope'"),
        (["embedded", *HELDOUT, "--metrics", "bleu"], "no metric 'bleu'"),
        (["embedded", *HELDOUT, "--adapter", "nobody"], "no run 'nobody'"),
        (["embedded", *HELDOUT, "--against", "base"], "--against needs something"),
        (["embedded", *HELDOUT, "--metric-file", "/no/metric.py"], "is no Python file"),
        (["/no/model", *HELDOUT], "/no/model"),
        (["--resume", "nobody"], "no evaluation 'nobody'"),
        (["embedded", "--data", "library:nothing"], "no dataset 'nothing'"),
        (["embedded", *HELDOUT, "--quantization", "int3"], "quantization"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(evaluate, arguments, said):
    code, out, err = evaluate(*arguments)
    assert code == 2 and out == "" and said in err and "Traceback" not in err


def test_rows_of_the_library_are_evaluated(evaluate, place, capsys):
    workspace = Workspace.locate(place)
    AnnotationStore(workspace.database_url).close()
    imported = ["import", "embedded:heldout", "--limit", "3", "--name", "charts"]
    assert main([*imported, "--workspace", str(place)]) == 0
    capsys.readouterr()
    asked = ("embedded", "--data", "library:charts", "--metrics", "exact_match", "--json")
    code, out, err = evaluate(*asked)
    assert code == 0, err
    assert json.loads(out)["metrics"]["exact_match"]["rows"] == 3


def test_ctrl_c_keeps_what_is_answered_and_says_how_to_go_on(evaluate, place, monkeypatch):
    real = evaluation_worker.append_answers

    def once(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluation_worker, "append_answers", once)
        patch.setattr(evaluation_worker, "BATCHES_AT_ONCE", 1)
        code, out, err = evaluate(
            "embedded", *HELDOUT, "--batch-size", "2", "--metrics", "words", "--json"
        )
    assert (code, out) == (130, "")
    (stopped,) = EvaluationStore(Workspace.locate(place)).list()
    assert f"python -m studio evaluate --resume {stopped.evaluation_id}" in err
    assert stopped.status.state == "stopped"
    code, out, _ = evaluate("--resume", stopped.evaluation_id, "--json")
    assert code == 0 and json.loads(out)["metrics"]["words"]["rows"] == 4


def test_one_that_is_killed_goes_on(evaluate, place, python, tmp_path):
    command = [python, "-m", "studio", "evaluate", "embedded", "--data", "embedded:heldout"]
    options = [
        "--limit",
        "60",
        "--metrics",
        "words",
        "--batch-size",
        "1",
        "--workspace",
        str(place),
    ]
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        child = subprocess.Popen([*command, *options], stdout=output, stderr=output, env=os.environ)
    store = EvaluationStore(Workspace.locate(place))
    try:
        for _ in range(12_000):
            found = store.list()
            if found and found[0].status.done:
                break
            if child.poll() is not None:
                raise AssertionError(log.read_text())
            time.sleep(0.01)
    finally:
        for one in store.list():  # the process that computes may be a child of the one started
            os.kill(one.status.pid or child.pid, signal.SIGKILL)
        child.kill()
        child.wait()
    for _ in range(1_000):
        (killed,) = store.list()
        if killed.status.state != "running":
            break
        time.sleep(0.01)
    assert killed.status.state == "stopped" and 0 < killed.status.done < 60
    kept = store.paths(killed).answers.read_bytes()
    code, out, err = evaluate("--resume", killed.evaluation_id, "--json")
    assert code == 0, err
    assert json.loads(out)["metrics"]["words"]["rows"] == 60
    assert store.paths(killed).answers.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])


def test_the_command_is_asked_for_without_torch():
    code = "import sys, studio.cli.main; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_commands_of_the_manual_work(evaluate, place):
    run = run_with_adapter(Workspace.locate(place))
    add_checkpoint(run, 2)
    blocks = (ROOT / "docs" / "evaluation.md").read_text().split("```sh\n")[1:]
    commands = [line for block in blocks for line in block.split("```")[0].splitlines()]
    assert len(commands) >= 6
    for command in commands:
        words = command.removeprefix("python -m studio evaluate ").split()
        ids = EvaluationStore(Workspace.locate(place)).ids()
        names = {"RUN": run.run_id, "RUN@STEP": f"{run.run_id}@2", "ID": ids[0] if ids else ""}
        code, _, err = evaluate(*(names.get(word, word) for word in words))
        assert code == 0, f"{command}: {err}"
