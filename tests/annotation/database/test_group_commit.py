"""The thread that writes: what one piece of work is refused for stands by itself."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import create_engine, text

from studio.annotation.database.group_commit import Writer
from studio.core.errors import ConflictError


def test_a_refusal_carries_no_trace_of_the_first_attempt():
    engine = create_engine("sqlite://")

    def work(connection):
        connection.execute(text("SELECT 1"))
        raise ConflictError("You answered this pair elsewhere.")

    writer = Writer(engine.begin)
    with pytest.raises(ConflictError) as caught:
        writer.submit(work).result()
    writer.close()
    told = "".join(traceback.format_exception(caught.value))
    assert told.count("Traceback") == 1 and "_Refused" not in told
