"""Rows that are too long: left out, counted and named; refused; or cut, never in their images."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.config import run_file
from studio.core.errors import DataError
from studio.runs.event_log import read_events
from studio.training.planning.preflight_plan import plan_run
from tests.training.fast_pair import IMAGES

WORDS = "red " * 120


@pytest.fixture
def rows(tmp_path):
    """Writes rows of SFT: (question, answer, images); the path."""

    def write(*given: tuple[str, str, int], **more: str) -> str:
        shutil.copy(IMAGES[0], tmp_path / "a.png")
        shutil.copy(IMAGES[1], tmp_path / "b.png")
        lines = []
        for number, (question, answer, images) in enumerate(given):
            answers = {"answer": answer}
            if more:
                answers = {"chosen": answer, "rejected": more["rejected"]}
            names = ["a.png", "b.png"][:images]
            lines.append(
                json.dumps({"id": f"r{number}", "images": names, "question": question} | answers)
            )
        (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return str(tmp_path / "rows.jsonl")

    return write


def planned(runner, source, method="sft", **data):
    config = runner.config(method=method, data={"source": source, "train": "train"} | data)
    return plan_run(config, runner.workspace)


def said_of(plan) -> str:
    (said,) = [text for text in plan.warnings if "left out" in text]
    return said


def test_one_row_that_is_too_long_is_left_out_and_named(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", WORDS, 1), ("C?", "Blue.", 1))
    plan, data = planned(runner, source, max_length=100)
    assert data.train.used == plan.train_rows == 2 and plan.tokens_max <= 100
    said = said_of(plan)
    assert "1 of 3 rows is left out" in said and "row 2 (r1) has" in said
    assert "raise data.max_length (the model reads 8,192)" in said
    assert "longest_edge" not in said, "its answer is long, not its image"
    assert plan.skipped == ["1 row: longer than 100 tokens"]
    assert data.train.dataset[1]["completion"][0]["content"][0]["text"] == "Blue."
    again, same = planned(runner, source, max_length=100)
    assert said_of(again) == said and same.identity == data.identity


def test_what_the_model_reads_is_a_limit_too(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", "red " * 9_000, 0))
    plan, data = planned(runner, source)
    said = said_of(plan)
    assert data.train.used == 1 and "the 8,192 that embedded reads" in said
    assert "To train on it, shorten its text, or cut the end of its answer" in said
    assert "longest_edge" not in said and "raise data.max_length" not in said


def test_rows_that_images_fill_are_told_of_pixels(runner, rows):
    source = rows(("A?", "Red.", 0), ("B?", "Red.", 2))
    plan, _ = planned(runner, source, max_length=60)
    assert "lower model.image.longest_edge or use fewer images" in said_of(plan)
    assert "shorten" not in said_of(plan)


def test_of_a_pair_the_longer_answer_counts(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", WORDS, 1), rejected="Blue.")
    plan, data = planned(runner, source, "dpo", max_length=100)
    assert data.train.used == 1 and "row 2 (r1)" in said_of(plan)


def test_refuse_names_the_rows_and_the_other_ways(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", WORDS, 1))
    with pytest.raises(DataError, match=r"1 row has more tokens than the 100.*row 2 \(r1\)") as e:
        planned(runner, source, max_length=100, too_long="refuse")
    assert e.value.field == "data.too_long" and "leave_out" in e.value.remedy
    plan, _ = planned(runner, source, too_long="refuse")
    assert plan.train_rows == 2


def test_cut_answers_keep_the_question_and_its_images(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", WORDS, 1), ("Long? " * 60, "Red.", 1))
    plan, data = planned(runner, source, max_length=100, too_long="cut_answer")
    assert data.train.used == 2 and plan.tokens_max == 100
    assert any("1 of 3 rows (33%) are cut at 100 tokens" in text for text in plan.warnings)
    said = said_of(plan)
    assert "row 3 (r2)" in said and "no room for an answer" in said


def test_a_run_without_a_row_is_refused_for_what_its_rows_are(runner, rows):
    source = rows(("A?", WORDS, 0), ("B?", WORDS, 0))
    with pytest.raises(DataError, match="No row is left to train on") as caught:
        planned(runner, source, max_length=100)
    assert "shorten their texts" in caught.value.remedy
    assert "longest_edge" not in caught.value.remedy


def test_rows_to_evaluate_on_are_left_out_too(runner, rows):
    source = rows(("A?", "Red.", 1), ("B?", "Blue.", 0), ("C?", WORDS, 0), ("D?", "No.", 0))
    config = runner.config(
        data={"source": source, "train": "train[:2]", "evaluation": "train[2:]", "max_length": 100}
    )
    plan, data = plan_run(config, runner.workspace)
    assert data.evaluation.used == 1 and plan.evaluation_rows == 1
    assert "rows to evaluate on" in said_of(plan)


def test_the_run_trains_on_the_rest_and_says_so(runner, rows):
    source = rows(*[(f"{n}?", "Red.", 1) for n in range(6)], ("B?", WORDS, 1))
    config = runner.config(data={"source": source, "train": "train", "max_length": 100})
    run, outcome = runner.run(config)
    assert outcome == "finished"
    events = read_events(run.paths.events).events
    warned = [e.values["message"] for e in events if e.type == "warning"]
    assert any("row 7 (r6)" in text for text in warned)


def test_the_setting_is_declared_like_the_others():
    assert run_file.parse({}).data.too_long == "leave_out"
    assert run_file.parse({}).data.turns == "all"
