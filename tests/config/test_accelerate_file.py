"""What an accelerate file asks for."""

from __future__ import annotations

import pytest

from studio.config import run_file
from studio.config.accelerate_file import (
    accelerate_cautions,
    accelerate_problems,
    read_accelerate_file,
)


@pytest.fixture
def on(tmp_path):
    """Makes a run that goes as an accelerate file with this text says."""

    def make(text: str, **changes):
        path = tmp_path / "accelerate.yaml"
        path.write_text(text, encoding="utf-8")
        return run_file.parse({"launch": {"engine": f"accelerate:{path}"}} | changes)

    return make


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("distributed_type: NO", False),
        ("distributed_type: multi_gpu", False),
        ("distributed_type: FSDP", True),
        ("distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: 3}", True),
        ("distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: 2}", False),
        ("distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: auto}", False),
        ("distributed_type: DEEPSPEED\ndeepspeed_config: none", False),
    ],
)
def test_whether_every_process_holds_a_part_of_the_weights(tmp_path, text, splits):
    (tmp_path / "a.yaml").write_text(text)
    assert read_accelerate_file(tmp_path / "a.yaml").splits_weights is splits


@pytest.mark.parametrize("text", ["- a", "x: 1", "a: [", None])
def test_what_is_no_such_file_is_a_problem_of_the_engine(on, tmp_path, text):
    config = on(text or "")
    if text is None:
        (tmp_path / "accelerate.yaml").unlink()
    (problem,) = accelerate_problems(config)
    assert problem.field == "launch.engine" and "accelerate config" in problem.remedy
    assert list(accelerate_cautions(config)) == [], "it is refused already"


def test_split_weights_cannot_be_quantized_nor_begun_from_whole_ones(on):
    fsdp = "distributed_type: FSDP"
    for changes, field in (
        ({"model": {"quantization": "nf4"}}, "model.quantization"),
        ({"adapter": {"init": "eva"}}, "adapter.init"),
        ({"adapter": {"init": "pissa"}}, "adapter.init"),
    ):
        assert [one.field for one in accelerate_problems(on(fsdp, **changes))] == [field]
    continued = {"adapter": {"init": "pissa", "continue_from": "earlier"}}
    assert list(accelerate_problems(on(fsdp, **continued))) == []
    assert [one.field for one in accelerate_problems(on(fsdp), "cpu")] == ["launch.engine"]
    assert "counts them whole" in " ".join(accelerate_cautions(on(fsdp)))
