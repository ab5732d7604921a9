"""Differences of two run files."""

from studio.config import run_file
from studio.config.diff import differences


def test_a_difference_names_every_setting():
    before = run_file.parse({"adapter": {"rank": 8}, "dpo": {"losses": {"sigmoid": 1}}})
    after = run_file.parse({"adapter": {"rank": 16}, "dpo": {"losses": {"ipo": 1}}})
    assert [row.path for row in differences(before, after)] == ["adapter.rank", "dpo.losses"]
    assert list(differences(before, before)) == []
