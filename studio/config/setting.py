"""How a setting is declared: `setting()` keeps its default, bounds, label and help together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["basic", "all"]


class Section(BaseModel):
    """A group of settings; unknown keys are errors, values are checked on assignment."""

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, use_attribute_docstrings=False
    )


def setting(
    default: Any,
    label: str,
    help: str,
    *,
    effect: str = "",
    trl: str = "",
    level: Level = "all",
    method: str | None = None,
    example: str = "",
    **bounds: Any,
) -> Any:
    """Declare one setting.

    Args:
        default: Its value when the run file is silent.
        label: What a form calls it.
        help: One sentence: what it does and how to choose.
        effect: What it does to memory, time or quality, in a few words.
        trl: Its name in TRL, transformers or PEFT; empty for what only the studio has.
        level: Whether a form shows it at first or under "all settings".
        method: Shown only for this method (`sft` or `dpo`).
        example: What an empty field of a form shows, for values with a form of their own.
        bounds: Passed to `pydantic.Field` (`ge`, `le`, `gt`, …).
    """
    extra: dict[str, Any] = {
        "level": level,
        "method": method,
        "effect": effect,
        "trl": trl,
        "example": example,
    }
    if isinstance(default, (list, dict, BaseModel)):
        return Field(
            default_factory=lambda: (
                default.model_copy(deep=True)
                if isinstance(default, BaseModel)
                else type(default)(default)
            ),
            title=label,
            description=help,
            json_schema_extra=extra,
            **bounds,
        )
    return Field(default=default, title=label, description=help, json_schema_extra=extra, **bounds)
