"""What happens in the Chat tab: each handler reads widgets, calls one service, returns a view."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.inference.client import ChatModel, InferenceStatus
from studio.inference.protocol import ChatDelta, ChatRequest
from studio.inference.sampling import Sampling
from studio.ui.chat.models import choices, columns, find, key_of
from studio.ui.chat.samples import ChatSample, samples_of
from studio.ui.chat.state import ChatConversation, Turn
from studio.ui.chat.views import failure, memory_line, samples_note, transcript
from studio.ui.compat.gradio_parts import cached
from studio.ui.events.event_data import number
from studio.ui.shared import html

REDRAW_SECONDS = 0.06
Gallery = list[tuple[str, str | None]] | None
Updates = tuple[Any, ...]


@dataclass(frozen=True)
class ChatHandlers:
    """The handlers of one Chat tab.

    Those that change the conversation return `Updates` for: conversation, two columns, question, notice, Send, Stop, memory line.
    """

    context: StudioContext
    samples: list[ChatSample]

    def ask(
        self,
        conversation: ChatConversation,
        question: str | None,
        gallery: Gallery,
        key: str | None,
        compare: bool,
        system_prompt: str | None,
        *sampling: Any,
    ) -> Iterator[Updates]:
        """Put the question to the chosen models and show their answers as they come."""
        try:
            turn, requests = self._begin(
                conversation, question, gallery, key, compare, system_prompt, sampling
            )
        except StudioError as error:
            yield self._draw(conversation, notice=failure(error))
            return
        notice = self._training_notice()
        yield self._draw(conversation, question="", notice=notice)
        errors: list[StudioError] = []
        for failed in self._answer(conversation, turn, requests):
            errors += failed
            yield self._draw(conversation, notice=notice)
        kept = conversation.drop_empty()
        yield self._draw(
            conversation,
            question=kept or gr.skip(),
            notice="".join(dict.fromkeys(map(failure, errors))),
            memory=self.memory(),
        )

    def stop(self, conversation: ChatConversation) -> Any:
        """End the answers under way; `ask` draws what has come."""
        conversation.stop()
        return gr.Button("Stopping")

    def clear(self, conversation: ChatConversation) -> Updates:
        """Begin anew with the same models and images."""
        conversation.clear()
        return self._draw(conversation)

    def show(self, conversation: ChatConversation, key: str | None, compare: bool) -> Updates:
        """Show the conversation with the models chosen now."""
        try:
            self._choose_columns(conversation, key, compare)
        except InputError:
            conversation.columns = ()
        return self._draw(conversation)

    def pick_sample(
        self, conversation: ChatConversation, offered: list[ChatSample], event: gr.EventData
    ) -> tuple[Any, ...]:
        """Show a sample's images and question, and a new conversation about them."""
        chosen = number(event, "index")
        if chosen is None or chosen >= len(offered):
            return gr.skip(), gr.skip(), gr.skip()
        conversation.clear()
        sample = offered[chosen]
        return _files(sample), sample.question, conversation

    def choose(self, key: str | None) -> tuple[Any, ...]:
        """What the chosen model changes: comparing, system prompt, samples (as list and as shown)."""
        try:
            model = find(self.context.inference.models(), key)
        except InputError:
            return (gr.skip(),) * 5
        hint = "Both answer side by side." if model.run else "Choose an adapter to compare it."
        offered = self.offered(model.run)
        return (
            gr.Checkbox(interactive=bool(model.run), info=hint),
            model.system_prompt if model.run else gr.skip(),
            offered,
            gr.Gallery([cached(sample.shown) for sample in offered], visible=bool(offered)),
            samples_note(offered),
        )

    def offered(self, run_id: str) -> list[ChatSample]:
        """Questions to try: the run's own before the charts that come along."""
        if not run_id:
            return self.samples
        context = self.context
        own = samples_of(context.runs.get(run_id), context.workspace, context.images)
        return [*own, *self.samples]

    def refresh(self) -> Any:
        """Show the list of models as it is now; the inference process is got ready meanwhile."""
        models = self.context.inference.models()
        self.context.inference.warm()
        return gr.Dropdown(choices=choices(models))

    def follow_link(
        self, link: tuple[str, int] | None, question: str | None, offered: list[ChatSample]
    ) -> tuple[Any, ...]:
        """Choose the adapter of the run that another tab sent, beside its base.

        Its first question is put in place of one that nobody typed.

        Returns:
            Updates of model, comparing switch, images and question.
        """
        models = self.context.inference.models()
        wanted = next((model for model in models if link and model.run == link[0]), None)
        if wanted is None:
            return (gr.skip(),) * 4
        model = gr.Dropdown(choices=choices(models), value=key_of(wanted))
        compare = gr.Checkbox(value=True, interactive=True)
        own = [sample for sample in self.offered(wanted.run) if sample.own]
        typed = (question or "").strip() not in {"", *(sample.question for sample in offered)}
        if typed or not own:
            return model, compare, gr.skip(), gr.skip()
        return model, compare, _files(own[0]), own[0].question

    def unload(self) -> tuple[str, str]:
        """Give the model's memory back; (memory line, notice)."""
        try:
            self.context.inference.unload()
        except StudioError as error:
            return self.memory(), failure(error)
        return self.memory(), ""

    def memory(self) -> str:
        """Show what is in memory, in one line."""
        try:
            return memory_line(self.context.inference.status())
        except StudioError as error:
            log_told(error)
            return memory_line(InferenceStatus())

    def _begin(
        self,
        conversation: ChatConversation,
        question: str | None,
        gallery: Gallery,
        key: str | None,
        compare: bool,
        system_prompt: str | None,
        sampling: tuple[Any, ...],
    ) -> tuple[Turn, list[ChatRequest]]:
        settings = Sampling.parse(dict(zip(Sampling.model_fields, sampling, strict=True)))
        question = (question or "").strip()
        if not question:
            raise InputError("There is no question.", remedy="Type one.", field="question")
        models = self._choose_columns(conversation, key, compare)
        images = [self.context.images.add(path) for path, _ in gallery or []]
        turn = conversation.begin(question, images, [key_of(model) for model in models])
        return turn, [
            ChatRequest(
                model=model.model,
                run=model.run,
                messages=conversation.messages(key_of(model), system_prompt or ""),
                images=conversation.images,
                sampling=settings,
            )
            for model in models
        ]

    def _answer(
        self, conversation: ChatConversation, turn: Turn, requests: list[ChatRequest]
    ) -> Iterator[list[StudioError]]:
        """Take in answers until they end or are not wanted; the errors since the last redraw."""
        answers = list(turn.answers.values())
        errors: list[StudioError] = []
        drawn = time.monotonic()
        answering: Any = self.context.inference.compare(requests)
        with closing(answering) as arriving:
            for number, what in arriving:
                if not conversation.wants(turn):
                    break
                if isinstance(what, ChatDelta):
                    answers[number].take(what)
                else:
                    answers[number].error = str(what)
                    errors.append(what)
                if time.monotonic() - drawn >= REDRAW_SECONDS:
                    drawn = time.monotonic()
                    yield errors
                    errors = []
        yield errors

    def _choose_columns(
        self, conversation: ChatConversation, key: str | None, compare: bool
    ) -> list[ChatModel]:
        models = columns(self.context.inference.models(), key, compare)
        conversation.show((key_of(model), model.label) for model in models)
        return models

    def _training_notice(self) -> str:
        run = self.context.inference.training()
        if run is None:
            return ""
        return html.notice(
            f"Run {run.config.name} is training on this machine.",
            "Answers and training slow each other down.",
            tone="warn",
        )

    def _draw(
        self,
        conversation: ChatConversation,
        *,
        question: Any = gr.skip(),  # noqa: B008  (a marker, never changed)
        notice: str = "",
        memory: Any = gr.skip(),  # noqa: B008
    ) -> Updates:
        shown = conversation.columns[-2:] or (("", "Answer"),)
        pairs = [*((None,) * (2 - len(shown))), *shown]
        chats: list[Any] = []
        for column in pairs:
            chats += _column(conversation, column)
        return (
            conversation,
            *chats,
            question,
            notice,
            gr.Button(visible=not conversation.busy),
            gr.Button("Stop", visible=conversation.busy),
            memory,
        )


def _files(sample: ChatSample) -> list[str]:
    return [cached(image) for image in sample.images]


def _column(conversation: ChatConversation, column: tuple[str, str] | None) -> list[Any]:
    if column is None:
        return [gr.HTML(visible=False)]
    return [gr.HTML(transcript(conversation, *column), visible=True)]
