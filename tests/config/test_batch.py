"""Batches whose parts fit together."""

from tests.config.conftest import refusal


def test_the_effective_batch_must_be_a_multiple():
    said = refusal({"batch": {"per_device": 3, "total": 16}})
    assert "Set batch.total to 18" in said
