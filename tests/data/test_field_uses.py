"""Fields of several splits are told once."""

from __future__ import annotations

from studio.data.field_uses import joined_fields
from studio.data.schema import FieldUse


def test_fields_of_several_splits_are_added_up():
    one = [FieldUse("question", 3, "question"), FieldUse("notes", 3, kept=2, why="too long")]
    two = [FieldUse("question", 2, "question"), FieldUse("notes", 2, why="nested")]
    joined = joined_fields([one, two])
    assert joined == [
        FieldUse("question", 5, "question"), FieldUse("notes", 5, kept=2, why="too long")
    ]  # fmt: skip
    assert joined[1].lost == 3
