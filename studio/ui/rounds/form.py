"""The form of new rounds: what is answered, what should get better, how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config import presets
from studio.config.round import TEMPLATES, RoundSettings, assigned
from studio.core.errors import StudioError
from studio.core.paths import EMBEDDED
from studio.core.plurals import counted
from studio.data.sources.registry import LIBRARY
from studio.launch.made_datasets import made_datasets
from studio.launch.round_store import LONGEST_NAME, Round
from studio.launch.rounds import start_round
from studio.ui.shared.html import told

FIELDS = ("name", "template", "model", "data", "goal", "known", "rows", "preset", "more")
LABELS = {
    "": "None",
    "fix-a-habit": "Fix a habit",
    "adapt-to-my-charts": "Adapt to my charts",
    "fewer-hallucinations": "Fewer hallucinations",
}


@dataclass
class RoundForm:
    """Components of the form, and what is asked with them."""

    context: StudioContext
    parts: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw it."""
        parts = self.parts
        known = {name: one.description for name, one in RoundSettings.model_fields.items()}
        with gr.Accordion("New round", open=True, elem_id="round-form"):
            parts["name"] = gr.Textbox(
                label="Name", placeholder="what they are about", max_lines=1,
                max_length=LONGEST_NAME, elem_id="round-name",
            )  # fmt: skip
            parts["template"] = gr.Dropdown(
                [(LABELS[name], name) for name in ("", *TEMPLATES)], value="fix-a-habit",
                label="Template", elem_id="round-template",
            )  # fmt: skip
            parts["model"] = gr.Dropdown(
                [EMBEDDED], value=EMBEDDED, label="Base model", allow_custom_value=True,
                elem_id="round-model", info="Or the run on it that was accepted last.",
            )  # fmt: skip
            for name, title in (
                ("data", "Rows to answer"),
                ("goal", "Rows of the goal, held out"),
                ("known", "Rows to keep, held out"),
            ):
                parts[name] = gr.Dropdown(
                    [], label=title, allow_custom_value=True, elem_id=f"round-{name}",
                    info=known[name], value=None,
                )  # fmt: skip
            with gr.Row(elem_classes="row-tools"):
                parts["rows"] = gr.Number(
                    100, label="Rows a round", precision=0, minimum=1, elem_id="round-rows",
                    min_width=110,
                )  # fmt: skip
                parts["preset"] = gr.Dropdown(
                    [("None", ""), *((one.name, one.name) for one in presets.list_presets())],
                    value="", label="Preset of training", elem_id="round-preset", min_width=140,
                )  # fmt: skip
            parts["more"] = gr.Textbox(
                label="More settings", lines=2, max_lines=8, max_length=4_000,
                placeholder="temperature=1.3\noptimizer.learning_rate=1e-3", elem_id="round-more",
                info="One key=value a line: of the round, or of its training.",
            )  # fmt: skip
            self.trouble = gr.HTML(elem_id="round-trouble", min_height=0)
            self.start = gr.Button("Start", variant="primary", elem_id="round-start")

    @property
    def inputs(self) -> list[Any]:
        """What is typed, in the order of `FIELDS`."""
        return [self.parts[name] for name in FIELDS]

    @property
    def offered(self) -> list[Any]:
        """Fields whose choices follow what there is."""
        return [self.parts[name] for name in ("data", "goal", "known")]

    def offers(self) -> list[Any]:
        """Fresh choices; what is chosen stays."""
        made = made_datasets(self.context.workspace)
        choices = [
            (f"{one.name} · {counted(one.items, 'row')}", f"{LIBRARY}{one.name}")
            for one in self.context.store.datasets()
            if one.items and one.name not in made
        ]
        return [gr.update(choices=choices)] * len(self.offered)

    def submit(self, who: str, *typed: Any) -> tuple[Round | None, str]:
        """Begin rounds as the form says; what is wrong, where they cannot be."""
        values = {name: value for name, value in zip(FIELDS, typed, strict=True) if value}
        name, template = values.pop("name", ""), values.pop("template", "")
        more = str(values.pop("more", "")).splitlines()
        try:
            given = {**values, **assigned([line.strip() for line in more if line.strip()])}
            return start_round(
                self.context.workspace, str(name), given, template=str(template), who=who
            ), ""
        except StudioError as error:
            return None, told(error)
