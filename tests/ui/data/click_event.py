"""What the page sends when something of the library is clicked."""

from __future__ import annotations

from types import SimpleNamespace


def event(**data) -> SimpleNamespace:
    return SimpleNamespace(_data=data)
