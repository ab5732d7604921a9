"""What a flavor of jobs has."""

from __future__ import annotations

import pytest

from studio.config import run_file
from studio.config.job_flavors import (
    gpu_memory,
    gpus_of,
    job_cautions,
    job_problems,
    sent_elsewhere,
)


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
    assert "set launch.processes to 4" in " ".join(job_cautions(four))
    assert list(job_problems(run_file.parse({"launch": {"processes": 2}}))) == []
