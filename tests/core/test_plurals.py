"""Numbers and what they count agree."""

from __future__ import annotations

import pytest

from studio.api.access.page_frame import ago
from studio.core.plurals import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")]
)
def test_a_number_has_the_form_of_its_thing(number, said):
    assert counted(number) == said
    assert counted(number, "entry", "entries").endswith("entry" if number == 1 else "entries")


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (3, "less than 5 minutes ago"),
        (400, "6 minutes ago"),
        (7300, "2 hours ago"),
        (90_000 * 3, "3 days ago"),
    ],
)
def test_how_long_ago_is_said_as_exactly_as_it_is_known(monkeypatch, passed, said):
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert ago(1_000_000.0 - passed) == said
