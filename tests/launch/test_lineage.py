"""How a model came to be is read from what lies in the workspace."""

import pytest

from studio.config import RunConfig, run_file
from studio.config.adapter import AdapterConfig
from studio.config.data import DataConfig
from studio.core.errors import NotFoundError
from studio.core.paths import Workspace, write_json
from studio.launch.decision_card import decide_about, decision_card
from studio.launch.lineage import lineage
from studio.launch.matches import create_match
from studio.runs import held_out_result
from studio.runs.checkpoints import MARKER
from studio.runs.held_out_result import HeldOutResult
from studio.runs.status import update_status
from studio.runs.store import RunStore
from tests.evaluation.answered_evaluations import answered
from tests.evaluation.small_evaluations import evaluation


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


def finished(workspace, name, source="exports/charts-abc", before=None):
    config = RunConfig(
        name=name, data=DataConfig(source=source), adapter=AdapterConfig(continue_from=before)
    )
    store = RunStore(workspace)
    run = store.create(config)
    update_status(run.paths, state="finished", step=10, training_seconds=90.0)
    write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 10})
    return store.get(run.run_id)


def frozen(workspace, name="charts-abc"):
    manifest = {"library": "library:charts", "rows": {"train": 8, "test": 2}, "created_at": 1.0}
    write_json(workspace.exports / name / "manifest.json", manifest)


def test_two_rounds_are_one_line_from_the_base_to_what_follows(workspace):
    frozen(workspace)
    first = finished(workspace, "first")
    decide_about(workspace, first.run_id, "accepted", "reads charts", "ada")
    second = finished(workspace, "second", "embedded:dpo", first.run_id)
    steps = lineage(workspace, first.run_id)
    assert [(step.kind, step.name) for step in steps] == [
        ("model", "embedded"),
        ("data", "library:charts"),
        ("export", "charts-abc"),
        ("run", "first"),
        ("decision", "accepted by ada"),
        ("next", "second"),
    ]
    assert steps[2].detail == "10 rows" and steps[4].detail == "reads charts"
    later = lineage(workspace, second.run_id)
    assert [step.kind for step in later] == [step.kind for step in steps[:-1]] + ["data", "run"]
    assert later[-2].name == "embedded:dpo"


def test_what_was_deleted_is_named_as_gone(workspace):
    first = finished(workspace, "first", before="20260101-000000-old-0000")
    steps = lineage(workspace, first.run_id)
    gone = {step.kind: step.name for step in steps if step.gone}
    assert gone == {"run": "20260101-000000-old-0000", "export": "charts-abc"}
    with pytest.raises(NotFoundError):
        lineage(workspace, "nobody")


def test_runs_that_go_on_from_each_other_end_the_line(workspace):
    first = finished(workspace, "first")
    second = finished(workspace, "second", before=first.run_id)
    config = first.config.model_copy(update={"adapter": AdapterConfig(continue_from=second.run_id)})
    run_file.save(config, first.paths.config)
    assert [step.name for step in lineage(workspace, second.run_id) if step.kind == "run"] == [
        "first",
        "second",
    ]


def test_a_card_holds_what_is_known_and_a_decision_keeps_it(workspace):
    run = finished(workspace, "first")
    card = decision_card(workspace, run)
    assert dict(card.figures) == {"Cost": "2 min of training, 10 steps"}
    assert "no scores" in card.missing[0]
    measured = evaluation(workspace)
    held_out_result.write(
        run.paths,
        HeldOutResult(
            "measured",
            evaluation=measured.evaluation_id,
            step=10,
            sentence="report line 0 % → 99 %",
        ),
    )
    made = decide_about(workspace, run.run_id, "rolled back", "people dislike it")
    assert made.figures[0] == "Scores: report line 0 % → 99 %"
    assert made.evaluation == measured.evaluation_id
    assert decision_card(workspace, run).decision == made


def test_the_card_tells_of_evaluations_of_the_weights_as_they_are(workspace):
    run = finished(workspace, "first")

    def measured(step):
        return answered(
            workspace,
            {"base": ["no"], "first": ["0"]},
            runs={"first": run.run_id},
            step=step,
            sentences={"first": ["Words: cannot tell.", "Exact match: better."]},
        )

    measured(9)  # of a checkpoint that the run is not any more
    assert "Evaluated" not in dict(decision_card(workspace, run).figures)
    shown = measured(10)
    card = decision_card(workspace, run)
    told = dict(card.figures)["Evaluated"]
    assert told == "given rows, 1 row: Exact match: better. Words: cannot tell."
    assert card.evaluation == shown.evaluation_id
    assert not any("no scores" in one for one in card.missing)


def test_what_people_said_stands_on_the_card_and_in_the_line(workspace):
    run = finished(workspace, "first")
    name = f"{run.run_id}@10"
    said = answered(workspace, {"base": ["no", "no"], name: ["1", "2"]}, runs={name: run.run_id})
    made = create_match(workspace, said.evaluation_id)
    card = decision_card(workspace, run)
    assert card.match == made.match_id and "Nobody has judged" in dict(card.figures)["Blind match"]
    assert [step.kind for step in lineage(workspace, run.run_id)][-2:] == ["evaluation", "match"]
    workspace.database.unlink()
    assert "is gone" in dict(decision_card(workspace, run).figures)["Blind match"]
