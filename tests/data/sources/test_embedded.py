"""The embedded sample sets are there and whole."""

from __future__ import annotations

import pytest

from studio.data.schema import Row
from studio.data.sources import open_source


@pytest.mark.parametrize(
    ("name", "has"),
    [("sft", "completion"), ("preferences", "chosen"), ("unlabelled", "candidates"),
     ("heldout", "completion")],
)  # fmt: skip
def test_the_embedded_samples_are_whole(workspace, name, has):
    source = open_source(f"embedded:{name}", split="train[:10]", workspace=workspace)
    rows = list(source.rows())
    assert len(rows) == 10
    assert all(isinstance(row, Row) and getattr(row, has) for row in rows)
