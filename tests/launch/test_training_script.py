"""A run as a script: what it says, and that running it gives the same losses."""

import ast
import json
import runpy
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq
import pytest

from studio.config import run_file
from studio.config.speed import SAVINGS
from studio.core.paths import Workspace
from studio.launch.script_rows import write_rows
from studio.launch.training_script import eject, notebook, recipe_of, render
from studio.runs.event_log import read_events
from studio.runs.store import RunStore
from studio.training.run_training import execute
from studio.training.script_recipe import write_recipe

OFF = dict.fromkeys(SAVINGS, "off")
SMALL = {
    "adapter": {"rank": 4, "alpha": 8},
    "batch": {"per_device": 2, "total": 4},
    "optimizer": {"learning_rate": 2e-3, "warmup": 0},
    "schedule": {"max_steps": 2, "evaluate_every": 1, "save_every": 100},
    "probes": {"count": 0, "forgetting": None},
    "speed": OFF,
}
SFT = {
    **SMALL,
    "method": "sft",
    "data": {"source": "embedded:sft", "train": "train[:8]", "evaluation": "evaluation[:2]"},
}
DPO = {
    **SMALL,
    "method": "dpo",
    "adapter": {"rank": 4, "alpha": 8, "init": "eva"},
    "model": {"quantization": "nf4"},
    "data": {"source": "embedded:preferences", "train": "train[:4]"},
}
ALONE = {"special_tokens": [], "fit": {}, "left_out": {}}


def logged(history, key):
    return [entry[key] for entry in history if key in entry]


@pytest.mark.parametrize("values", [SFT, DPO], ids=["sft", "dpo-nf4"])
def test_the_script_trains_as_the_run_did(tmp_path, monkeypatch, values):
    workspace = Workspace.locate(tmp_path / "workspace")
    run = RunStore(workspace).create(run_file.parse(values))
    execute(run.config, run.paths, workspace)
    events = read_events(run.paths.events).events
    expected = [e.values["loss"] for e in events if e.type == "metrics" and "loss" in e.values]
    eject(run, workspace, tmp_path / "away")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    done = runpy.run_path(str(tmp_path / "away" / "train.py"))
    assert logged(done["trainer"].state.log_history, "loss") == pytest.approx(expected, abs=1e-4)
    if values is SFT:
        expected = [e.values["eval_loss"] for e in events if e.type == "evaluation"]
        found = logged(done["trainer"].state.log_history, "eval_loss")
        assert found == pytest.approx(expected[: len(found)], abs=1e-4) and found
    assert list((tmp_path / "out" / "adapter").iterdir())
    if values is SFT:
        monkeypatch.chdir(tmp_path / "away")
        again = cell_by_cell(tmp_path / "away" / "train.ipynb")["trainer"].state.log_history
        for key in ("loss", "eval_loss"):
            assert logged(again, key) == logged(done["trainer"].state.log_history, key)


def test_the_script_of_conversations_scores_every_answer_and_leaves_out_the_same(
    tmp_path, monkeypatch
):
    def turns(*texts):
        roles = ("user", "assistant") * len(texts)
        return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]

    rows = [
        turns("One?", "First.", "Two?", "Second."),
        turns("Long?", "red " * 200),
        turns("A?", "B.", "C?", "D.", "E?", "F."),
        turns("G?", "H."),
    ]
    rows[2][1]["weight"] = 0
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(json.dumps({"messages": row}) for row in rows), encoding="utf-8")
    data = {"source": str(source), "train": "train", "max_length": 150}
    values = {**SFT, "data": data, "batch": {"per_device": 3, "total": 3}}
    workspace = Workspace.locate(tmp_path / "workspace")
    run = RunStore(workspace).create(run_file.parse(values))
    execute(run.config, run.paths, workspace)
    events = read_events(run.paths.events).events
    expected = [e.values["loss"] for e in events if e.type == "metrics" and "loss" in e.values]
    eject(run, workspace, tmp_path / "away")
    assert "studio" not in (tmp_path / "away" / "train.py").read_text().replace(str(tmp_path), "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    trainer = runpy.run_path(str(tmp_path / "away" / "train.py"))["trainer"]
    assert len(trainer.train_dataset) == 3
    labels = trainer.data_collator([trainer.train_dataset[n] for n in range(3)])["labels"]
    text = trainer.processing_class.tokenizer.decode(labels[labels != -100])
    assert text.replace("<end_of_utterance>\n", "") == " First. Second. D. F. H."
    assert logged(trainer.state.log_history, "loss") == pytest.approx(expected, abs=1e-4)


def cell_by_cell(path):
    """Run a notebook's code cells as a kernel does: one after the other, in one namespace."""
    names = {"__name__": "__main__"}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


def recipe(tmp_path, values):
    workspace = Workspace.locate(tmp_path)
    run = RunStore(workspace).create(run_file.parse(values))
    write_recipe(run.config, run.paths, workspace)
    return json.loads(run.paths.recipe.read_text())


def test_the_script_is_python_and_names_no_studio(tmp_path):
    values = {"name": "my run", "adapter": {"dora": True}, "data": {"source": "embedded:sft"}}
    text = render(recipe(tmp_path, values), "rows", ["train"])
    ast.parse(text)
    assert "studio" not in text and text.startswith('"""my run: SFT of')
    assert "use_dora=True" in text and "eval_dataset" not in text


def test_a_name_is_only_a_name_and_folders_of_this_machine_are_named(tmp_path):
    name = 'x""" + open("/tmp/no") + """ \\u12 # %% y'
    text = render(recipe(tmp_path, {**SFT, "name": name}), str(tmp_path / "rows"), ["train"])
    (said, *_), code = ast.parse(text).body, json.loads(notebook(text))["cells"]
    assert isinstance(said.value, ast.Constant) and "\\u12" in said.value.value
    assert str(tmp_path / "rows") in said.value.value and "out/adapter" in said.value.value
    assert sum(cell["cell_type"] == "code" for cell in code) == 4
    title = "".join(code[0]["source"])
    assert title.startswith("# x") and "cells from top to bottom" in title


def test_rows_that_are_asked_for_twice_at_once_are_whole(tmp_path):
    workspace, config = Workspace.locate(tmp_path / "workspace"), run_file.parse(SFT)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: write_rows(config, workspace, tmp_path / "rows", ALONE), range(3)))
    found = {path.name: pq.read_metadata(path).num_rows for path in (tmp_path / "rows").iterdir()}
    assert found == {"train.parquet": 8, "evaluation.parquet": 2}


def test_full_fine_tuning_has_a_reference_and_no_adapter(tmp_path):
    values = {"method": "dpo", "adapter": None, "data": {"source": "embedded:preferences"}}
    text = render(recipe(tmp_path, values), "rows", ["train"])
    assert "ref_model=reference" in text and "LoraConfig" not in text


def test_the_notebook_has_a_cell_for_each_part(tmp_path):
    text = render(recipe(tmp_path, SFT), "rows", ["train", "evaluation"])
    made = json.loads(notebook(text))
    code = ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"]
    assert len(code) == text.count("# %%") == 4
    for source in code:
        ast.parse(source)
    assert made["nbformat"] == 4 and made["nbformat_minor"] == 5
    common = {"id", "cell_type", "metadata", "source"}
    for cell in made["cells"]:
        own = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == common | own
        assert all(isinstance(line, str) for line in cell["source"])
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


def test_the_rows_of_a_step_do_not_depend_on_the_number_of_processes(tmp_path):
    values = {"data": {"source": "embedded:sft"}, "batch": {"per_device": 1, "total": 8}}
    text = render(recipe(tmp_path, values | {"launch": {"processes": 2}}), "rows", ["train"])
    assert "gradient_accumulation_steps=8 // PROCESSES," in text
    assert "accelerate launch --num_processes 2" in text


def test_a_recipe_of_an_earlier_version_is_worked_out_again(tmp_path, monkeypatch):
    workspace = Workspace.locate(tmp_path)
    run = RunStore(workspace).create(run_file.parse(SFT))
    run.paths.recipe.write_text('{"name": "old", "method": "sft"}')

    def child(command, **_):
        assert command[1:] == ["-m", "studio", "recipe", str(run.paths.root)]
        write_recipe(run.config, run.paths, workspace)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", child)
    found = recipe_of(run)
    assert found["additions"] and found["arguments"] and found["name"] == run.config.name


def test_early_stopping_is_in_the_script(tmp_path):
    data = {"source": "embedded:sft", "evaluation": "evaluation[:2]"}
    values = {"data": data, "schedule": {"early_stopping": 3, "metric": "mean_token_accuracy"}}
    text = render(recipe(tmp_path, values), "rows", ["train", "evaluation"])
    assert "callbacks=[EarlyStoppingCallback(early_stopping_patience=3)]," in text
    assert "metric_for_best_model='eval_mean_token_accuracy'" in text
    assert "greater_is_better=True" in text
