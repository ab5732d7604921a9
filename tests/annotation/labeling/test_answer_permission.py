"""Only what was handed out to somebody may be answered, looked at or taken back."""

from __future__ import annotations

import pytest

from studio.annotation.labeling.showings import LAST_ID, LAST_PAIR
from studio.core.errors import NotFoundError
from tests.annotation.conftest import make_rows


def test_a_number_that_no_pair_has_is_somebody_else_s_pair(store):
    store.add_rows("charts", make_rows(1))
    store.claim("ana")
    ana = store.team.viewer("ana")
    for number in (LAST_ID + 1, LAST_PAIR):
        for ask in (store.look, lambda handle, who: store.undo(who, handle=handle)):
            with pytest.raises(NotFoundError, match="not given to you"):
                ask(ana.handle(number), "ana")
    with pytest.raises(NotFoundError):
        store.look(ana.handle(LAST_ID), "ana")
