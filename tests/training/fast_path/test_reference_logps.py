"""Scores of the reference on disk."""

import torch

from studio.training.fast_path.reference_logps import ReferenceCache


def test_reference_scores_survive_and_damaged_lines_do_not(tmp_path):
    first = ReferenceCache(tmp_path, "run-0")
    first.put(["k1", "k2"], torch.tensor([-1.1, -2.2]), torch.tensor([-3.3, -4.4]))
    path = tmp_path / "run-0.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("-2.2", "-2.3"), lines[1][:9]]))
    second = ReferenceCache(tmp_path, "run-1")
    chosen, rejected = second.get(["k1"])
    assert torch.equal(chosen, torch.tensor([-1.1])) and rejected[0] == torch.tensor(-3.3)
    assert second.get(["k2"]) is None
