"""Values that cannot be used on the device planned for: labelled with the reason, taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from studio.config.availability import unavailable
from studio.config.setting_list import FieldSpec
from studio.core.errors import ConfigError
from studio.ui.train.plan import LATER, PlanPanel
from studio.ui.train.settings_form import labelled
from studio.ui.train.state import gigabytes


@dataclass
class Availability:
    """What of the form's choices this machine, or the device planned for, lacks.

    Attributes:
        restricted: Choices of which some value may be unavailable.
    """

    plan: PlanPanel
    specs: Sequence[FieldSpec]
    restricted: list[FieldSpec] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = {*unavailable(), *unavailable("cpu")}
        self.restricted = [spec for spec in self.specs if spec.choices and spec.path in asked]

    def layout(self) -> None:
        """What is remembered: the last usable values, and the device the labels are for."""
        self.usable = gr.State({})
        self.labelled_for = gr.State(None)

    def wire(self, fields: dict[str, Any]) -> None:
        """Relabel when a plan told the device; take back what cannot be used."""
        choices = [fields[spec.path] for spec in self.restricted]
        target, known = self.plan.target, self.labelled_for
        self.plan.current.change(
            self.relabel, [target, known], [known, *choices], queue=False,
            show_progress="hidden", api_visibility="private",
        )  # fmt: skip
        for spec, item in zip(self.restricted, choices, strict=True):
            item.input(self.refuser(spec.path), [item, self.usable, target], item, **LATER)

    def device(self, target: str) -> Any:
        """`cuda` for a GPU elsewhere, else this machine's device once a plan has told it."""
        try:
            return "cuda" if gigabytes(target) else self.plan.device
        except ConfigError:
            return self.plan.device

    def usable_of(self, shown: dict[str, Any], target: str) -> dict[str, Any]:
        """Return the chosen values that can be used."""
        reasons = unavailable(self.device(target))
        return {
            spec.path: shown[spec.path]
            for spec in self.restricted
            if not unusable(shown[spec.path], reasons.get(spec.path, {}))
        }

    def relabel(self, target: str, labelled_for: str | None) -> list[Any]:
        """Say at each choice what the device planned for lacks."""
        device = self.device(target)
        if device == labelled_for:
            return [gr.skip()] * (1 + len(self.restricted))
        reasons = unavailable(device)
        choices = [labelled(spec, reasons.get(spec.path, {})) for spec in self.restricted]
        return [device, *(gr.update(choices=offered) for offered in choices)]

    def refuser(self, path: str) -> Callable[..., Any]:
        """Return the handler that puts the value before back when the new one cannot be used."""
        label = next(spec.label for spec in self.specs if spec.path == path)

        def refuse(value: Any, usable: dict[str, Any], target: str) -> Any:
            reasons = unavailable(self.device(target)).get(path, {})
            found = unusable(value, reasons)
            if found is None:
                return gr.skip()
            gr.Warning(escape(f"{found}: {reasons[found]}."), title=f"{escape(label)} stays")
            return usable.get(path, gr.skip())

        return refuse


def unusable(value: Any, reasons: dict[str, str]) -> str | None:
    """Return the first of the chosen values that has a reason against it."""
    chosen = value if isinstance(value, list) else [value]
    return next((item for item in chosen if item in reasons), None)
