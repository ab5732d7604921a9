"""A source opened: chosen rows, and rows without torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from PIL import Image

from studio.config import run_file
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.training.run_rows import load_run_data


def test_importing_the_data_layer_brings_no_torch():
    code = (
        "import sys, studio.data.trl_conversion, studio.data.frozen_dataset, studio.data.sources, "
        "studio.annotation.library.source_import\n"
        "print({'torch', 'transformers', 'trl', 'datasets', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture
def rows(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    kinds = ["LineComparison", "Other", "LineComparison", "Other", "LineComparison"]
    lines = [
        {"image": "a.png", "question": f"q{n}", "answer": f"a{n}", "predicate": kind, "n": n}
        for n, kind in enumerate(kinds)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def load(rows, where, split="train"):
    config = run_file.parse({"data": {"source": str(rows), "train": split, "where": where}})
    return load_run_data(config, Workspace.locate(rows.parent / "workspace"))


def questions(data):
    return [row["prompt"][-1]["content"][-1]["text"] for row in data.train.dataset]


def test_only_rows_with_the_values_are_used(rows):
    found = load(rows, {"predicate": "LineComparison"})
    assert questions(found) == ["q0", "q2", "q4"] and found.train.skipped == []
    assert questions(load(rows, {"predicate": "LineComparison", "n": 2})) == ["q2"]
    assert len(questions(load(rows, {}))) == 5
    assert questions(load(rows, {"predicate": "Other"}, "train[:3]")) == ["q1"]


@pytest.mark.parametrize(
    ("where", "said"),
    [({"predicates": "x"}, "no column 'predicates'"), ({"predicate": "x"}, "No row of train")],
)
def test_what_leaves_nothing_names_the_setting(rows, where, said):
    with pytest.raises(DataError, match=said) as caught:
        load(rows, where)
    assert caught.value.field == "data.where" and caught.value.remedy
