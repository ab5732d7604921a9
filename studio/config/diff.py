"""Where two run files differ, setting by setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.config.run import RunConfig
from studio.config.setting_list import field_specs


@dataclass(frozen=True)
class SettingDifference:
    """One setting with two values; None also stands for a section that is switched off."""

    path: str
    left: Any
    right: Any


def differences(left: RunConfig, right: RunConfig) -> list[SettingDifference]:
    """List every setting that differs, in the order of the run file.

    A section that only one of them has (`adapter: null`) is one difference of that section.
    """
    a, b = left.model_dump(mode="json"), right.model_dump(mode="json")
    changed: dict[str, SettingDifference] = {}
    for spec in field_specs():
        path, one, other = _both(a, b, spec.path)
        if one != other:
            changed.setdefault(path, SettingDifference(path, one, other))
    return list(changed.values())


def _both(left: Any, right: Any, path: str) -> tuple[str, Any, Any]:
    """The values of `path`, or of the section on the way that one of the two lacks."""
    parts = path.split(".")
    for depth, part in enumerate(parts, start=1):
        left, right = left[part], right[part]
        inside = depth < len(parts)
        if inside and (left is None or right is None):
            return ".".join(parts[:depth]), left is not None, right is not None
    return path, left, right
