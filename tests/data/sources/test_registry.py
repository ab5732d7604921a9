"""Which kind of source a name is, and the refusal of one that names nothing."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.sources import open_source


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "nope.jsonl",
        "embedded:nope",
        "exports/nope",
        "/no/such/folder",
        "bad id!",
        "x" * 300,
        "a\0b",
        f"/{'x' * 300}.jsonl",
    ],
)
def test_sources_that_are_not_there_are_refused(workspace, spec):
    with pytest.raises(DataError) as caught:
        open_source(spec, workspace=workspace)
    assert caught.value.field == "data.source" and caught.value.remedy
