"""Engines: what an accelerate file asks for, and the flavors of jobs."""

from __future__ import annotations

import pytest

from studio.config import run_file
from studio.config.launch_engines import (
    accelerate_problems,
    engine_cautions,
    gpu_memory,
    gpus_of,
    job_problems,
    read_accelerate_file,
    sent_elsewhere,
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
    assert list(engine_cautions(config)) == [], "it is refused already"


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
    assert "counts them whole" in " ".join(engine_cautions(on(fsdp)))


@pytest.mark.parametrize(
    ("flavor", "gpus", "memory"),
    [("a10g-small", 1, 24), ("a10g-largex4", 4, 24), ("l40sx8", 8, 48), ("cpu-basic", 1, None)],
)
def test_a_flavor_tells_its_gpus_by_its_name(flavor, gpus, memory):
    assert (gpus_of(flavor), gpu_memory(flavor)) == (gpus, memory)


def test_a_job_has_one_process_for_each_gpu_and_takes_its_batch_as_given():
    job = {"launch": {"engine": "hf-jobs:a10g-small", "processes": 2}, "batch": {"largest": True}}
    config = run_file.parse(job)
    assert sent_elsewhere(config)
    assert [one.field for one in job_problems(config)] == ["batch.largest", "launch.processes"]
    four = run_file.parse({"launch": {"engine": "hf-jobs:a10g-largex4"}})
    assert "set launch.processes to 4" in " ".join(engine_cautions(four))
    assert list(job_problems(run_file.parse({"launch": {"processes": 2}}))) == []
