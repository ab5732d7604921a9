"""What is refused before anything is computed, and what is told of the rest."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from studio.core.errors import DataError, InputError, ModelError, NotFoundError
from studio.core.paths import Workspace
from studio.evaluation.evaluation_request import metrics_of
from studio.runs.store import RunStore
from tests.evaluation.small_evaluations import (
    add_checkpoint,
    evaluation,
    run_with_adapter,
)


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def test_metrics_suit_the_rows_unless_they_are_named(workspace):
    chosen = evaluation(workspace, metrics=()).request.metrics
    assert chosen[0] == "exact_match" and "words" in chosen and "implicit_margin" not in chosen
    assert evaluation(workspace, metrics=["anls", "anls"]).request.metrics == ("anls",)


def test_an_unknown_metric_is_refused_with_those_there_are(workspace):
    with pytest.raises(InputError, match="no metric 'rouge'") as caught:
        evaluation(workspace, metrics=["rouge"])
    assert "exact_match" in caught.value.remedy and "rouge_l" in caught.value.remedy


def test_rows_without_answers_are_refused_for_a_metric_that_needs_them(workspace):
    with pytest.raises(InputError, match="every one has no accepted answer") as caught:
        evaluation(workspace, metrics=["exact_match"], data="embedded:unlabelled")
    assert "words" in caught.value.remedy and caught.value.field == "metrics"
    made = evaluation(workspace, metrics=(), data="embedded:unlabelled")
    assert "exact_match" not in made.request.metrics


def test_pairs_are_needed_for_preferences_and_another_model_for_margins(workspace):
    with pytest.raises(InputError, match="no chosen and rejected answer"):
        evaluation(workspace, metrics=["preference_accuracy"])
    with pytest.raises(InputError, match="measured from another model") as caught:
        evaluation(workspace, metrics=["implicit_margin"], data="embedded:preferences")
    assert "--against" in caught.value.remedy


def test_no_rows_are_refused(workspace, tmp_path):
    empty = tmp_path / "rows.jsonl"
    empty.write_text("")
    with pytest.raises(DataError):
        evaluation(workspace, data=str(empty))
    with pytest.raises(NotFoundError, match="no run 'nobody'"):
        evaluation(workspace, data="run:nobody")
    run = run_with_adapter(workspace)
    with pytest.raises(DataError, match="holds no rows out"):
        evaluation(workspace, data=f"run:{run.run_id}")


def test_runs_and_steps_that_are_not_there_are_named(workspace):
    run = run_with_adapter(workspace)
    add_checkpoint(run, 2)
    for name, said in (
        ("nobody", "no run 'nobody'"),
        (f"{run.run_id}@7", "no complete checkpoint of step 7"),
        (f"{run.run_id}@last", "'last' is no step"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            evaluation(workspace, name)
        assert caught.value.remedy and caught.value.field == "adapter"
    assert "2, 3" in _remedy(workspace, f"{run.run_id}@7")
    (run.paths.adapter / "complete.json").unlink()
    assert "@STEP" in _remedy(workspace, run.run_id)


def _remedy(workspace, name):
    with pytest.raises(InputError) as caught:
        evaluation(workspace, name)
    return caught.value.remedy


def test_names_beginnings_steps_and_folders_are_resolved(workspace):
    run = run_with_adapter(workspace)
    add_checkpoint(run, 2)
    asked = ("small", run.run_id[:-1], f"{run.run_id}@2", f"small@{3}", str(run.paths.adapter))
    models = evaluation(workspace, *asked).request.models
    names = [model.name for model in models]
    assert names == [run.run_id, f"{run.run_id}@2", f"{run.run_id}@3", str(run.paths.adapter)]
    assert [model.step for model in models] == [3, 2, 3, None]
    assert models[0].adapter == models[2].adapter == str(run.paths.adapter)


def test_a_run_of_another_base_is_refused(workspace):
    run = run_with_adapter(workspace)
    text = run.paths.config.read_text().replace("id: embedded", "id: owner/model")
    run.paths.config.write_text(text)
    assert RunStore(workspace).get(run.run_id).config.model.id == "owner/model"
    with pytest.raises(ModelError, match="trained on owner/model, not on embedded"):
        evaluation(workspace, run.run_id)


def test_a_comparison_needs_two(workspace):
    run = run_with_adapter(workspace)
    with pytest.raises(InputError, match="--against needs something"):
        evaluation(workspace, against="base")
    with pytest.raises(InputError, match="compared with itself"):
        evaluation(workspace, run.run_id, against=run.run_id)


def test_images_that_a_run_trained_on_are_counted(workspace):
    run = run_with_adapter(workspace)
    request = evaluation(workspace, run.run_id, data="embedded:sft", limit=8).request
    assert request.seen_in_training[run.run_id] >= 6
    (note,) = [note for note in request.notes if "has trained on images" in note]
    assert run.run_id in note
    fresh = evaluation(workspace, run.run_id).request
    assert fresh.seen_in_training == {run.run_id: 0} and not fresh.notes


def test_images_of_the_run_it_goes_on_from_count_too(workspace):
    first = run_with_adapter(workspace, "first")
    second = run_with_adapter(workspace, "second", train="train[100:102]")
    text = second.paths.config.read_text()
    second.paths.config.write_text(
        text.replace("continue_from: null", f"continue_from: {first.run_id}")
    )
    seen = evaluation(workspace, "second", data="embedded:sft", limit=6).request.seen_in_training
    assert seen[second.run_id] == 6


def test_what_a_run_trained_on_and_is_gone_is_said(workspace, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"question": "What?", "answer": "That."}) + "\n")
    run = run_with_adapter(workspace, source=str(rows), train="train")
    rows.unlink()
    request = evaluation(workspace, run.run_id).request
    assert request.seen_in_training == {run.run_id: -1}
    assert "cannot be read any more" in request.notes[0]


def test_all_are_asked_with_the_system_prompt_of_the_run(workspace):
    from studio.evaluation.evaluated_rows import read_rows

    run = run_with_adapter(workspace, system_prompt="Be brief.")
    made = evaluation(workspace, run.run_id, against="base")
    assert made.request.system_prompt == "Be brief."
    rows = read_rows(workspace.evaluation(made.evaluation_id).rows)
    assert {row.prompt[0].text for row in rows} == {"Be brief."}


def test_a_metric_of_ones_own_leads(workspace, tmp_path):
    file = tmp_path / "first_letter.py"
    file.write_text(
        "def score(prediction, accepted, row):\n    return float(prediction[:1] == accepted[0][:1])\n"
    )
    request = evaluation(workspace, metrics=["words"], metric_file=str(file)).request
    assert request.metrics == ("first_letter", "words")
    assert [metric.name for metric in metrics_of(request)] == ["first_letter", "words"]


def test_an_evaluation_is_asked_for_without_torch():
    code = (
        "import sys, studio.evaluation.evaluation_request, studio.evaluation.evaluation_store, "
        "studio.evaluation.report; print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
