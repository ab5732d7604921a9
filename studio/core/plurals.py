"""Numbers with the thing that they count: `1 row`, `2 rows`."""

from __future__ import annotations


def counted(number: int, thing: str = "row", things: str = "") -> str:
    """Write a number with its thing: `1 row`, `1,200 rows`.

    Args:
        things: The plural, where it is not `thing` with an s.
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
