"""A card that an annotator was given."""

from __future__ import annotations

import pytest

from tests.annotation.conftest import make_rows


@pytest.fixture
def card(store):
    store.add_rows("charts", make_rows(4))
    return store.claim("ana")
