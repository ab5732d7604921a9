"""The table of benchmarks holds together, and rows as the hub has them are asked as it says."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from studio.core.errors import NotFoundError
from studio.core.paths import Workspace
from studio.data.sources import files, hub
from studio.evaluation.benchmarks import BENCHMARKS, find_benchmark, is_benchmark
from studio.evaluation.evaluated_rows import choose_rows
from studio.evaluation.evaluation_request import Wanted, choose_metrics
from studio.metrics import METRICS


def png(colour="red"):
    made = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(made, "PNG")
    return {"bytes": made.getvalue(), "path": "a.png"}


BESIDE = {f"image_{number}": None for number in range(3, 8)}
RECORDS = {
    "chartqa": {"image": png(), "query": "How many?", "label": ["14"], "human_or_machine": 0},
    "textvqa": {
        "image_id": "a", "question_id": 7, "question": "what brand?", "question_tokens": ["what"],
        "image": png(), "image_width": 16, "flickr_original_url": "http://x/y.jpg",
        "answers": ["nokia"] * 8 + ["nok", "x"], "image_classes": ["Belt"], "set_name": "val",
    },
    "docvqa": {
        "questionId": "1", "question": "What date?", "question_types": ["handwritten"],
        "image": png(), "docId": 3, "answers": ["1/8/93", "1-8-93"], "data_split": "val",
    },
    "infovqa": {
        "questionId": "1", "question": "How much?", "answers": ["40%"], "answer_type": ["single"],
        "image": png(), "image_url": "http://x/y.jpg", "ocr": "words", "data_split": "val",
    },
    "pope": {
        "id": "1", "question_id": "1", "question": "Is there a dog in the image?", "answer": "yes",
        "image_source": "COCO_1", "image": png(), "category": "popular",
    },
    "mmmu": {
        "id": "validation_A_1", "question": "See <image 1> and <image 2>. Which?",
        "options": "['$6', '$7', '$8']", "explanation": "", "image_1": png(),
        "image_2": png("blue"), **BESIDE, "img_type": "['Tables']", "answer": "B",
        "topic_difficulty": "Medium", "question_type": "multiple-choice", "subfield": "Finance",
    },
    "ai2d": {"question": "Which is it?", "options": ["a", "b", "c"], "answer": "2", "image": png()},
    "scienceqa": {
        "image": png(), "question": "Which?", "choices": ["x", "y"], "answer": 1, "hint": "Look.",
        "task": "closed", "lecture": "", "solution": "because",
    },
    "vqav2": {
        "question_type": "what", "multiple_choice_answer": "net", "image_id": 1, "question_id": 2,
        "answers": [{"answer": "net", "answer_confidence": "yes", "answer_id": n} for n in range(10)],
        "question": "what is it?", "image": png(), "answer_type": "other",
    },
}  # fmt: skip
"""A record of each, with the columns that its dataset has on the hub."""
RIGHT = {
    "chartqa": "14", "textvqa": "nokia", "docvqa": "1/8/93", "infovqa": "40%", "pope": "Yes",
    "mmmu": "B", "ai2d": "C", "scienceqa": "B", "vqav2": "net",
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def opened_there(tmp_path, monkeypatch):
    """What was opened on the hub, which is a folder here."""
    asked = []

    def opened(spec, split, workspace, field):
        asked.append((spec, split))
        (name,) = [one.name for one in BENCHMARKS.values() if one.source == spec]
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist([RECORDS[name]] * 3), path)
        return files.open_reader(str(path), None, workspace, field)

    monkeypatch.setattr(hub, "open_reader", opened)
    return asked


@pytest.mark.parametrize("name", BENCHMARKS)
def test_rows_of_a_benchmark_are_asked_and_measured_as_it_says(name, workspace, opened_there):
    benchmark = BENCHMARKS[name]
    found = choose_rows(benchmark.spec, workspace, limit=2)
    assert opened_there == [(benchmark.source, benchmark.split)]
    assert len(found.rows) == 2 and not found.left_out
    assert found.source.startswith(f"{benchmark.label}: ")
    row = found.rows[0]
    assert row.prompt[-1].text.endswith(benchmark.ask)
    assert len(row.images) == (2 if name == "mmmu" else 1)
    metrics = choose_metrics(Wanted("embedded", data=benchmark.spec), found.rows)
    assert [one.name for one in metrics] == list(benchmark.metrics)
    assert metrics[0].score(RIGHT[name], row.accepted, row) == 1
    assert metrics[0].score("no", row.accepted, row) == 0


def test_the_table_is_consistent():
    assert set(RECORDS) == set(BENCHMARKS) and {"chartqa", "pope", "mmmu"} <= set(BENCHMARKS)
    for name, one in BENCHMARKS.items():
        assert one.name == name == name.lower() and is_benchmark(one.spec)
        assert hub.matches(one.source, Workspace.locate()) and "/" in one.source
        assert one.split and one.ask and one.metrics and set(one.metrics) <= set(METRICS)
        assert one.lmms_eval or one.vlmevalkit
    assert len({one.label for one in BENCHMARKS.values()}) == len(BENCHMARKS)


def test_names_are_found_as_people_write_them_and_others_refused():
    assert find_benchmark("benchmark:Chart-QA").name == "chartqa"
    with pytest.raises(NotFoundError) as refused:
        find_benchmark("benchmark:texvqa")
    assert (
        "Did you mean benchmark:textvqa?" in refused.value.remedy and refused.value.field == "data"
    )
    assert not is_benchmark("owner/benchmark")


def test_other_splits_and_columns_may_be_named(workspace, opened_there):
    found = choose_rows(
        "benchmark:pope", workspace, split="random[:2]", columns={"id": "question_id"}
    )
    assert opened_there == [("lmms-lab/POPE", "random")] and len(found.rows) == 2
