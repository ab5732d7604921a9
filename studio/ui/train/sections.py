"""The sections of the Train form, and the list that jumps to them; assets/web/train/section-list.js follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from studio.config.setting_list import FieldSpec

WHAT = "sec-what"


@dataclass(frozen=True)
class FormSection:
    """Settings that stand together.

    Attributes:
        element: HTML id.
        starts: Beginnings of its settings' paths.
        method: `dpo` for a section that other methods do not have.
    """

    element: str
    title: str
    starts: tuple[str, ...]
    method: str = "any"

    def of(self, specs: Sequence[FieldSpec]) -> list[FieldSpec]:
        """Return its settings, in the order of the run file."""
        return [spec for spec in specs if spec.path.startswith(self.starts)]


SECTIONS = (
    FormSection(
        "sec-precision",
        "Quantization",
        ("model.dtype", "model.quantization", "model.double", "model.skip", "model.attention"),
    ),
    FormSection("sec-adapter", "LoRA adapter", ("adapter",)),
    FormSection("sec-batch", "Batch", ("batch.",)),
    FormSection("sec-optimizer", "Optimizer", ("optimizer.",)),
    FormSection("sec-schedule", "Schedule", ("schedule.",)),
    FormSection("sec-dpo", "Preference loss", ("dpo.",), "dpo"),
    FormSection("sec-probes", "Probes", ("probes.",)),
    FormSection("sec-speed", "Speed", ("speed.",)),
    FormSection("sec-launch", "Where it runs", ("launch.",)),
    FormSection("sec-reporting", "Reporting", ("report_to", "push_to_hub")),
)


def of_what(specs: Sequence[FieldSpec]) -> list[FieldSpec]:
    """Settings that belong to none of `SECTIONS`: model and data."""
    grouped = tuple(start for section in SECTIONS for start in section.starts)
    return [spec for spec in specs if not spec.path.startswith(grouped)]


def jump_list() -> str:
    """Return a button for each section; seen with all settings, and while one is looked for."""
    buttons = [(WHAT, "Model and data", "any")]
    buttons += [(section.element, section.title, section.method) for section in SECTIONS]
    items = "".join(
        f'<li class="only-{method}"><button type="button" data-jump="{element}">'
        f"{escape(title)}</button></li>"
        for element, title, method in buttons
    )
    return (
        f'<nav class="jump" aria-label="Sections of the settings"><ul>{items}</ul></nav>'
        '<div id="train-hits" role="status"></div>'
    )
