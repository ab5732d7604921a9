"""What the model's chat template does to the rows: turns it refuses, answers it ends or does not."""

from __future__ import annotations

from collections.abc import Iterator

from studio.core.plurals import counted
from studio.data.schema import Row
from studio.data.trl_format import answer_messages, bare
from studio.models.chat_template import Shapes, template_cautions
from studio.models.row_tokens import fitted_prompt, learned
from studio.preflight.checks.base import Check, SeenRow
from studio.preflight.model_processor import Model
from studio.preflight.report import Finding


class Template(Check):
    """Rows that the chat template refuses or changes, and how it asks and ends."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._shapes = Shapes(model.processor)
        self._refused: dict[int, str] = {}
        self._systems: list[int] = []
        self._several: dict[int, int] = {}

    def refuses(self, row: Row) -> str:
        """Return why a row cannot be trained on; empty when it can."""
        prompt = fitted_prompt(row, self._model.fit)
        answers = [bare(answer_messages(answer)) for answer in learned(row)] or [[]]
        return next(filter(None, (self._shapes.refusal(prompt, one) for one in answers)), "")

    def add(self, seen: SeenRow) -> None:
        row = seen.row
        if said := self.refuses(row):
            self._refused[seen.number] = said
        elif row.prompt[0].role == "system" and not self._model.fit.system:
            self._systems.append(seen.number)
        if row.completion is not None:
            earlier = [one for one in row.prompt if one.role == "assistant" and one.scored]
            if earlier:
                self._several[seen.number] = len(earlier)

    def findings(self) -> Iterator[Finding]:
        if self._refused:
            yield Finding(
                "template_refuses",
                "error",
                sorted(self._refused),
                f"{counted(len(self._refused))} that the chat template of {self._model.name} "
                "refuses or does not write in full.",
                "Training leaves them out. Put their turns in the order that the model knows, or "
                "choose another model.",
                self._refused,
            )
        if self._systems:
            yield Finding(
                "system_in_question",
                "info",
                self._systems,
                f"{counted(len(self._systems))} with a system turn, which the chat template of "
                f"{self._model.name} does not take.",
                "Training and chat put its text in front of the question. Nothing needs to be done.",
            )
        if self._several:
            more = sum(self._several.values())
            yield Finding(
                "several_answers",
                "info",
                sorted(self._several),
                f"{counted(len(self._several))} with {counted(more, 'answer')} before the last: "
                "SFT scores these too.",
                "With data.turns: last it scores the last answer only.",
            )
        cautions = template_cautions(self._model.processor, self._model.name)
        said = {kind: (sentence, remedy) for kind, sentence, remedy in cautions}
        if "asked_elsewhere" in said:
            yield Finding("asked_elsewhere", "warning", [], *said["asked_elsewhere"])
        if "no_end_token" in said:
            yield Finding("no_end_token", "warning", [], *said["no_end_token"])
