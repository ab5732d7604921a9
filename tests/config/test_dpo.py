"""Losses of DPO and their weights."""

from tests.config.conftest import refusal


def test_an_unknown_dpo_loss_lists_the_known_ones():
    assert "sigmoid" in refusal({"dpo": {"losses": {"sigmod": 1.0}}})
