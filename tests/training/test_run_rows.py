"""Rows that a run is given, or why there are none."""

import json
import math
import shutil
from pathlib import Path

import pytest

from studio.core.errors import DataError
from studio.training.planning.preflight_plan import plan_run


@pytest.fixture(scope="module")
def runner(shared_runner):
    """One workspace for all: no test leaves anything in it that changes another."""
    return shared_runner


def write_rows(folder: Path, rows: list[dict]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def test_rows_that_teach_nothing_are_refused(runner, tmp_path):
    image = next((Path("assets/samples/sft/images")).glob("*.png"))
    shutil.copy(image, tmp_path / "a.png")
    same = {"image": "a.png", "question": "q", "chosen": "x", "rejected": "x"}
    for rows in ([], [same], [same | {"image": "gone.png", "rejected": "y"}]):
        source = write_rows(tmp_path, rows)
        with pytest.raises(DataError) as caught:
            plan_run(runner.config(method="dpo", data={"source": source}), runner.workspace)
        assert caught.value.field == "data.source"


def test_text_only_rows_train_beside_rows_with_images(runner, tmp_path):
    image = next((Path("assets/samples/sft/images")).glob("*.png"))
    shutil.copy(image, tmp_path / "a.png")
    user = {"role": "user", "content": "What is it?"}
    rows = [
        {
            "images": ["a.png"] * (index % 3),
            "prompt": [user],
            "completion": [{"role": "assistant", "content": f"answer {index}"}],
        }
        for index in range(8)
    ]
    config = runner.config(data={"source": write_rows(tmp_path, rows)})
    plan, _ = plan_run(config, runner.workspace)
    assert plan.train_rows == 8
    run, outcome = runner.run(config)
    assert outcome == "finished" and all(map(math.isfinite, runner.values(run, "loss")))
