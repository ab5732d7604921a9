"""Smaller micro-batches that keep the batch."""

import pytest

from studio.config import run_file
from studio.runs.control.oom_backoff import next_smaller


@pytest.mark.parametrize(
    ("per_device", "total", "processes", "smaller"),
    [(8, 16, 1, 4), (3, 12, 1, 1), (6, 12, 2, 3), (15, 60, 4, 5), (7, 7, 1, 1)],
)
def test_fewer_rows_at_once_keep_the_batch_of_all_processes(per_device, total, processes, smaller):
    batch = {"per_device": per_device, "total": total}
    config = run_file.parse({"batch": batch, "launch": {"processes": processes}})
    found = next_smaller(config)
    assert found == smaller and total % (found * processes) == 0
