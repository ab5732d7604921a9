"""Another value in the place of an attribute for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def swapped(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Put `value` in the place of `owner.name`; what stood there comes back at the end.

    The whole process sees it meanwhile.

    Raises:
        AttributeError: `owner` has nothing of that name, for instance in another version of it.
    """
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
