"""Other harnesses are commands: shown, or run in an environment of their own and read."""

from __future__ import annotations

import json
import sys

import pytest

from studio.cli.main import main
from studio.config import RunConfig
from studio.core.errors import InputError, NotFoundError, RunFailedError
from studio.core.paths import Workspace, write_json
from studio.evaluation.benchmarks import BENCHMARKS
from studio.launch.harness import (
    KIT_CLASSES,
    AskedHarness,
    harness_figures,
    plan_harness,
    run_harness,
)
from studio.runs.checkpoints import MARKER
from studio.runs.store import RunStore

FAKE = """
import json, os, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("key", os.environ["OPENAI_API_KEY"], json.dumps(given))
if "broken" in given["--model_args"]:
    sys.exit("it cannot be loaded")
out = pathlib.Path(given["--output_path"], "org__model")
out.mkdir(parents=True)
results = {given["--tasks"]: {"alias": "x", "relaxed_overall,none": 0.75,
                              "relaxed_overall_stderr,none": 0.1}}
(out / "20260101_results.json").write_text(json.dumps({"results": results}))
"""
KIT = """
import json, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
config = json.loads(pathlib.Path(given["--config"]).read_text())
(name, model), = config["model"].items()
out = pathlib.Path(given["--work-dir"], name, "T1")
out.mkdir(parents=True)
(out / f"{name}_{list(config['data'])[0]}_acc.csv").write_text("split,Overall\\nnone,61.5\\n")
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def python(tmp_path):
    """An environment in which both harnesses are installed, as far as one sees from outside."""
    for package in ("lmms_eval", "vlmeval"):
        (tmp_path / "site" / package).mkdir(parents=True)
        (tmp_path / "site" / package / "__init__.py").write_text("")
    (tmp_path / "site" / "lmms_eval" / "__main__.py").write_text(FAKE)
    (tmp_path / "VLMEvalKit").mkdir()
    (tmp_path / "VLMEvalKit" / "run.py").write_text(KIT)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "site"} exec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return str(script)


def adapter_in(folder):
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    return str(folder)


def test_commands_are_shown_for_models_adapters_and_servers(workspace, tmp_path):
    plan = plan_harness(workspace, AskedHarness("chartqa", "org/model", limit=8))
    assert plan.typed.startswith(
        "python -m lmms_eval --model huggingface --model_args pretrained=org/"
    )
    assert "--tasks chartqa " in plan.typed and plan.typed.endswith("--limit 8") and not plan.before
    folder = adapter_in(tmp_path / "tuned")
    plan = plan_harness(workspace, AskedHarness("pope", "org/model", folder, served_as="tuned"))
    assert plan.before == f"vllm serve org/model --enable-lora --lora-modules tuned={folder}"
    assert "--model openai --model_args model=tuned,base_url=http://localhost:8000/v1" in plan.typed
    run = RunStore(workspace).create(RunConfig(name="charts"))
    write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 10})
    (run.paths.adapter / "adapter_config.json").write_text("{}")
    plan = plan_harness(workspace, AskedHarness("pope", "embedded", "charts"))
    assert plan.before == f"python -m studio serve {run.run_id}"
    assert f"model={run.run_id},base_url=" in plan.typed
    kit = AskedHarness("mmmu", "endpoint:https://vlm.example.com/v1#big", harness="vlmevalkit")
    plan = plan_harness(workspace, kit)
    assert plan.typed.startswith("cd VLMEvalKit && python run.py --config ")
    ((_, text),) = plan.files.items()
    config = json.loads(text)
    assert config["model"]["big"]["api_base"] == "https://vlm.example.com/v1/chat/completions"
    assert config["data"] == {"MMMU_DEV_VAL": {"class": "MMMUDataset", "dataset": "MMMU_DEV_VAL"}}
    assert set(KIT_CLASSES) == {one.name for one in BENCHMARKS.values() if one.vlmevalkit}
    assert not workspace.harness.exists(), "nothing is written until it runs"


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        (AskedHarness("nope", "m"), NotFoundError, "no benchmark"),
        (AskedHarness("chartqa", "m", harness="other"), InputError, "no harness"),
        (AskedHarness("vqav2", "m", harness="vlmevalkit"), InputError, "has no VQAv2"),
        (AskedHarness("pope", "m", harness="vlmevalkit", limit=3), InputError, "all rows"),
        (AskedHarness("pope", "m,trust_remote_code=True"), InputError, "comma"),
        (AskedHarness("pope", "m", "gone"), NotFoundError, "gone"),
    ],
)
def test_what_cannot_be_measured_is_refused_before(workspace, asked, kind, said):
    with pytest.raises(kind, match=said):
        plan_harness(workspace, asked)


def test_figures_are_read_kept_and_listed(workspace, python, tmp_path, monkeypatch, capsys):
    found = run_harness(workspace, AskedHarness("chartqa", "org/model", python=python))
    assert found.figures == {"chartqa relaxed_overall": 0.75} and found.model == "org/model"
    monkeypatch.setenv("EXAMPLE_KEY", "sk-secret-7")
    kit = AskedHarness(
        "pope", "big", harness="vlmevalkit", endpoint="http://127.0.0.1:9/v1", python=python,
        key_from="EXAMPLE_KEY", checkout=str(tmp_path / "VLMEvalKit"),
    )  # fmt: skip
    assert run_harness(workspace, kit).figures == {"Overall": 61.5}
    assert [one.benchmark for one in harness_figures(workspace)] == ["pope", "chartqa"]
    written = "".join(p.read_text() for p in workspace.harness.rglob("*") if p.is_file())
    assert "sk-secret-7" not in written
    assert main(["harness", "--list", "--json", "--workspace", str(workspace.root)]) == 0
    assert len(json.loads(capsys.readouterr().out)["figures"]) == 2


def test_failures_are_sentences_without_the_key(workspace, python, tmp_path, monkeypatch):
    monkeypatch.setenv("EXAMPLE_KEY", "sk-secret-7")
    with pytest.raises(RunFailedError, match="it cannot be loaded") as failed:
        run_harness(workspace, AskedHarness("pope", "org/broken", python=python))
    assert "python -m lmms_eval" in failed.value.remedy
    asked = AskedHarness(
        "pope", "m", endpoint="http://127.0.0.1:9/v1", served_as="broken",
        key_from="EXAMPLE_KEY", python=python,
    )  # fmt: skip
    with pytest.raises(RunFailedError) as failed:
        run_harness(workspace, asked)
    assert "sk-secret-7" not in str(failed.value)
    with pytest.raises(InputError, match="not installed"):
        run_harness(workspace, AskedHarness("pope", "m", python=sys.executable))
    with pytest.raises(InputError, match="no Python"):
        run_harness(workspace, AskedHarness("pope", "m", python=str(tmp_path / "none")))
    with pytest.raises(InputError, match="through a server"):
        folder = adapter_in(tmp_path / "tuned")
        run_harness(workspace, AskedHarness("pope", "m", folder, python=python))
    assert harness_figures(workspace) == []
