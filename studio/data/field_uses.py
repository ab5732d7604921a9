"""What became of fields, over several splits of a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio.data.schema import FieldUse


def joined_fields(of_splits: Sequence[Sequence[FieldUse]]) -> list[FieldUse]:
    """Add up the fields of several splits, in the order of their first appearance."""
    joined: dict[tuple[str, str], FieldUse] = {}
    for use in (use for uses in of_splits for use in uses):
        known = joined.get((use.path, use.role))
        if known is not None:
            use = replace(
                known,
                rows=known.rows + use.rows,
                kept=known.kept + use.kept,
                why=known.why or use.why,
            )
        joined[use.path, use.role] = use
    return list(joined.values())
