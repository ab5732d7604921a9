"""Adding one row by hand: images, a question, one answer or two."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.annotation import ItemFilter
from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.data.conversation import check_text
from studio.data.schema import Answer, Message, Part, Row
from studio.data.sources.folder import IMAGE_ENDINGS
from studio.ui.data.import_form import check_lead, refusal
from studio.ui.data.source_tables import said

DEFAULT_NAME = "by hand"
BLANK = {"add_images": None, "add_question": "", "add_chosen": "", "add_rejected": ""}


@dataclass
class AddForm:
    """The fields; an error leaves every one as it is."""

    context: StudioContext

    def layout(self) -> None:
        """Draw the form."""
        with gr.Row():
            self.images = gr.File(
                label="Images",
                file_count="multiple",
                file_types=list(IMAGE_ENDINGS),
                height=140,
                elem_id="data-add-images",
            )
            with gr.Column(scale=2):
                self.question = gr.Textbox(label="Question", elem_id="data-add-question")
                self.name = gr.Textbox(label="Dataset", placeholder=DEFAULT_NAME)
        with gr.Row():
            self.chosen = gr.Textbox(
                label="Better answer",
                lines=3,
                info="Alone: the reference answer.",
                elem_id="data-add-chosen",
            )
            self.rejected = gr.Textbox(
                label="Worse answer", lines=3, info="May be empty.", elem_id="data-add-rejected"
            )
        with gr.Row(elem_classes="actions"):
            self.add = gr.Button("Add row", size="sm", variant="primary", elem_id="data-do-add")
            self.close = gr.Button("Close", size="sm")
        self.result = gr.HTML(elem_id="data-add-result")

    @property
    def fields(self) -> dict[str, Any]:
        """The components whose values `save` takes, in their order."""
        return {
            "add_images": self.images,
            "add_question": self.question,
            "add_name": self.name,
            "add_chosen": self.chosen,
            "add_rejected": self.rejected,
        }

    def save(
        self,
        images: list[str] | None,
        question: str,
        name: str,
        chosen: str,
        rejected: str,
        request: gr.Request,
    ) -> int | str:
        """Add the row; its id, or what is wrong as HTML."""
        try:
            check_lead(self.context, request)
            row = self._row(images or [], question, chosen, rejected, request)
            dataset = name.strip() or DEFAULT_NAME
            store = self.context.store
            store.add_rows(dataset, [row])
        except StudioError as error:
            return refusal(error)
        where = ItemFilter(dataset=dataset, search=row.external_id)
        number = store.browse(where, order="newest", limit=1)[0].id
        store.team.note(self.context.user(request), "add a row", dataset, {"row": number})
        return number

    def _row(
        self, images: list[str], question: str, chosen: str, rejected: str, request: gr.Request
    ) -> Row:
        _required(question, "question")
        if rejected.strip():
            _required(chosen, "better answer")
        if chosen.strip() and chosen.strip() == rejected.strip():
            raise InputError("Both answers say the same.", remedy="Make them differ.")
        author = self.context.user(request)
        one, two = Answer(chosen, author), Answer(rejected, author)
        pair = bool(rejected.strip())
        kept = tuple(self.context.images.add(path) for path in images)
        parts = (*(Part("image") for _ in kept), Part("text", check_text(question, "question")))
        return Row(
            external_id=f"hand-{uuid.uuid4().hex[:12]}",
            images=kept,
            prompt=(Message("user", parts),),
            completion=one if chosen.strip() and not pair else None,
            chosen=one if pair else None,
            rejected=two if pair else None,
        )


def done(number: int) -> str:
    """The row is there."""
    return said("", f"Row {number} added.", tone="")


def _required(text: str, what: str) -> None:
    check_text(text, what)
    if not text.strip():
        raise InputError(f"The {what} is empty.", remedy="Write it.")
