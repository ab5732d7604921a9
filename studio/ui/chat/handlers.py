"""What happens in the Chat tab: each handler reads widgets, calls one service, returns a view."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import BusyError, InputError, StudioError
from studio.core.logs import log_told
from studio.inference.client import ChatModel, InferenceStatus, base_label
from studio.inference.conversation_store import ConversationStore
from studio.inference.protocol import ChangeRequest, ChatDelta, ChatRequest
from studio.inference.sampling import Sampling
from studio.ui.chat.kept import as_json, as_markdown, forget, keep, list_html, open_kept
from studio.ui.chat.models import choices, columns, find, key_of
from studio.ui.chat.opinions import Opinions
from studio.ui.chat.samples import ChatSample, samples_of
from studio.ui.chat.state import ChatConversation, Turn
from studio.ui.chat.views import failure, memory_line, page, samples_note
from studio.ui.compat.gradio_parts import cached
from studio.ui.events.event_data import number, text
from studio.ui.shared import html

REDRAW_SECONDS = 0.06
Gallery = list[tuple[str, str | None]] | None
Updates = tuple[Any, ...]


@dataclass(frozen=True)
class Chosen:
    """Who is asked, and how: the fields beside the question, in their order.

    Attributes:
        key: Of the model; `others` of more, side by side with it.
        quantization: For all of them; empty: each as it says itself.
    """

    key: str | None
    compare: bool
    others: tuple[str, ...]
    blind: bool
    quantization: str
    system_prompt: str
    sampling: tuple[Any, ...]

    @classmethod
    def of(cls, values: tuple[Any, ...]) -> Chosen:
        """Read the values of the fields as the page sends them."""
        key, compare, others, blind, quantization, system_prompt, *sampling = values
        return cls(
            key,
            bool(compare),
            tuple(map(str, others or ())),
            bool(blind),
            str(quantization or ""),
            str(system_prompt or ""),
            tuple(sampling),
        )


@dataclass(frozen=True)
class ChatHandlers:
    """The handlers of one Chat tab.

    Those that change the conversation return `Updates` for: conversation, columns, question, notice,
    Send, Stop, memory line, list of conversations.
    """

    context: StudioContext
    samples: list[ChatSample]

    def ask(
        self,
        request: gr.Request,
        conversation: ChatConversation,
        question: str | None,
        gallery: Gallery,
        *chosen: Any,
    ) -> Iterator[Updates]:
        """Put the question to the chosen models and show their answers as they come.

        In place of the turn that is being edited, if there is one.
        """
        who = self.context.user(request)
        try:
            edited = conversation.turn(conversation.editing)
            images = [self.context.images.add(path) for path, _ in gallery or []]
            images = [*(edited.images if edited else ()), *images]
            begun = self._begin(conversation, question, images, Chosen.of(chosen), edited)
        except StudioError as error:
            yield self._draw(conversation, notice=failure(error))
            return
        yield from self._asked(who, conversation, *begun, typed=True)

    def _asked(
        self,
        who: str,
        conversation: ChatConversation,
        turn: Turn,
        requests: list[ChatRequest],
        *,
        typed: bool,
    ) -> Iterator[Updates]:
        kept = keep(self.context.workspace, who, conversation)
        notice = self._training_notice() + (failure(kept) if kept else "")
        now = {"question": ""} if typed else {}
        yield self._draw(
            conversation, **now, notice=notice, listed=self.listed_of(who, conversation)
        )
        errors: list[StudioError] = []
        try:
            for failed in self._answer(conversation, turn, requests):
                errors += failed
                yield self._draw(conversation, notice=notice)
        finally:  # the page may be left while answers come
            if conversation.wants(turn):
                for answer in turn.answers.values():
                    answer.stop()
            back = conversation.drop_empty() if conversation.turns[-1:] == [turn] else ""
            if conversation.turns:
                kept = keep(self.context.workspace, who, conversation)
            elif back and conversation.conversation_id:
                forget(self.context.workspace, who, conversation)
        if kept is not None:
            errors.append(kept)
        yield self._draw(
            conversation,
            question=back or gr.skip(),
            notice="".join(dict.fromkeys(map(failure, errors))),
            memory=self.memory(),
            listed=self.listed_of(who, conversation),
        )

    def act(
        self,
        event: gr.EventData,
        request: gr.Request,
        conversation: ChatConversation,
        question: str | None,
        dataset: str | None,
        *chosen: Any,
    ) -> Iterator[Updates]:
        """Do what a button at a turn asks for: edit, retry, vote, say good or bad, why."""
        turn = conversation.turn(text(event, "turn"))
        place = number(event, "place")
        if turn is None or place is None:
            yield self._draw(conversation)
            return
        who, what = self.context.user(request), text(event, "act")
        try:
            if what == "retry":
                self._ensure_idle(conversation)
                begun = self._begin(
                    conversation, turn.question, list(turn.images), Chosen.of(chosen), turn
                )
                yield from self._asked(who, conversation, *begun, typed=False)
                return
            if what == "edit":
                self._ensure_idle(conversation)
                conversation.editing = turn.turn_id
                yield self._draw(conversation, question=turn.question)
                return
            if what == "keep":
                conversation.editing = ""
                yield self._draw(conversation, question="")
                return
            if what == "why":
                yield self._draw(conversation, notice=html.notice("Comparing with the base…"))
            self._say(who, conversation, turn, place, what, (dataset or "").strip())
        except StudioError as error:
            yield self._draw(conversation, notice=failure(error))
            return
        kept = keep(self.context.workspace, who, conversation)
        yield self._draw(conversation, notice=failure(kept) if kept else "")

    def _say(
        self,
        who: str,
        conversation: ChatConversation,
        turn: Turn,
        place: int,
        what: str,
        dataset: str,
    ) -> None:
        opinions = Opinions(self.context.store, conversation, who, dataset)
        if what == "vote":
            opinions.vote(turn, place)
            return
        key = _key_at(conversation, turn, place)
        answer = turn.answers.get(key)
        if answer is None or answer.open:
            return
        if what in ("good", "bad"):
            opinions.judge(turn, key, what)
        elif what == "why":
            answer.why = [] if answer.why else self._why(conversation, turn, key)

    def _why(self, conversation: ChatConversation, turn: Turn, key: str) -> list[tuple[str, float]]:
        answer = turn.answers[key]
        if not turn.asked.get(key):
            raise InputError(
                "What this model was asked is not known any more.", remedy="Press Retry first."
            )
        asked = ChatRequest.model_validate(turn.asked[key])
        images = tuple(
            sha
            for kept in conversation.turns[: conversation.turns.index(turn) + 1]
            for sha in kept.images
        )
        return self.context.inference.changes(
            ChangeRequest(
                model=asked.model,
                run=asked.run,
                messages=conversation.messages(key, turn.system_prompt, upto=turn),
                images=images,
                answer=answer.text,
            )
        )

    @staticmethod
    def _ensure_idle(conversation: ChatConversation) -> None:
        if conversation.busy:
            raise BusyError(
                "The last question is being answered.", remedy="Wait for its end, or press Stop."
            )

    def stop(self, conversation: ChatConversation) -> Any:
        """End the answers under way; `ask` draws what has come."""
        conversation.stop()
        return gr.Button("Stopping")

    def stop_one(self, event: gr.EventData, conversation: ChatConversation) -> tuple[Any, ...]:
        """End one column's answer while the others go on; returns conversation and columns."""
        turn, place = conversation.turn(text(event, "turn")), number(event, "place")
        if turn is not None and place is not None:
            conversation.stop_one(turn, _key_at(conversation, turn, place))
        return conversation, page(conversation)

    def clear(self, conversation: ChatConversation, request: gr.Request | None = None) -> Updates:
        """Begin anew with the same models and images; what was there stays in the list."""
        conversation.clear()
        listed = self.listed_of(self.context.user(request), conversation)
        return self._draw(conversation, listed=listed)

    def show(self, conversation: ChatConversation, *chosen: Any) -> Updates:
        """Show the conversation with the models chosen now."""
        notice = ""
        try:
            self._choose_columns(conversation, Chosen.of(chosen))
        except InputError as error:
            conversation.columns = conversation.columns if conversation.turns else ()
            notice = failure(error) if Chosen.of(chosen).others else ""
        return self._draw(conversation, notice=notice)

    def listed(self, request: gr.Request, conversation: ChatConversation) -> str:
        """Draw the list of this person's conversations."""
        return self.listed_of(self.context.user(request), conversation)

    def listed_of(self, who: str, conversation: ChatConversation) -> str:
        """Draw the list of the conversations of `who`."""
        kept = ConversationStore(self.context.workspace, who).list()
        return list_html(kept, conversation.conversation_id)

    def manage(
        self, event: gr.EventData, request: gr.Request, conversation: ChatConversation
    ) -> tuple[Any, ...]:
        """Open, rename, delete or export a conversation of the list.

        Returns:
            `Updates`, then model, side-by-side models, comparing switch and a file to save.
        """
        who, wanted = self.context.user(request), text(event, "id")
        skipped: tuple[Any, ...] = (gr.skip(),) * 4
        try:
            shown = self._managed(who, text(event, "act"), wanted, event, conversation)
        except StudioError as error:
            listed = self.listed_of(who, conversation)
            return *self._draw(conversation, notice=failure(error), listed=listed), *skipped
        return (
            *self._draw(conversation, listed=self.listed_of(who, conversation)),
            *(shown or skipped),
        )

    def _managed(
        self,
        who: str,
        act: str,
        wanted: str,
        event: gr.EventData,
        conversation: ChatConversation,
    ) -> tuple[Any, ...] | None:
        workspace = self.context.workspace
        store = ConversationStore(workspace, who)
        if act == "open":
            if conversation.busy:
                conversation.stop()
            open_kept(workspace, who, wanted, conversation)
            return (*self._models_of(conversation), gr.skip())
        if act == "rename":
            kept = store.rename(wanted, text(event, "name"))
            if wanted == conversation.conversation_id:
                conversation.name = kept.name
        elif act == "delete":
            store.delete(wanted)
            if wanted == conversation.conversation_id:
                conversation.clear()
        elif act in ("markdown", "json"):
            other = ChatConversation()
            open_kept(workspace, who, wanted, other)
            return *(gr.skip(),) * 3, _file(other, act)
        return None

    def _models_of(self, conversation: ChatConversation) -> tuple[Any, ...]:
        """Choose the models of a conversation again, those that are still there."""
        models = self.context.inference.models()
        known = {key_of(model) for model in models}
        keys = [key for key, _ in conversation.columns if key in known]
        if not keys:
            return gr.skip(), gr.skip(), gr.skip()
        model = gr.Dropdown(choices=choices(models), value=keys[0])
        return model, gr.Dropdown(choices=choices(models), value=keys[1:]), gr.Checkbox(value=False)

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
        offered = self.offered(model.run_id)
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

    def refresh(self) -> tuple[Any, Any]:
        """Show the lists of models as they are now; the inference process is got ready meanwhile."""
        models = self.context.inference.models()
        self.context.inference.warm()
        return gr.Dropdown(choices=choices(models)), gr.Dropdown(choices=choices(models))

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
        own = [sample for sample in self.offered(wanted.run_id) if sample.own]
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
        images: list[str],
        chosen: Chosen,
        instead_of: Turn | None,
    ) -> tuple[Turn, list[ChatRequest]]:
        self._ensure_idle(conversation)
        settings = Sampling.parse(dict(zip(Sampling.model_fields, chosen.sampling, strict=True)))
        question = (question or "").strip()
        if not question:
            raise InputError("There is no question.", remedy="Type one.", field="question")
        models = self._choose_columns(conversation, chosen)
        if instead_of is not None:
            conversation.go_back(instead_of)
        conversation.editing = ""
        keys = [key_of(model) for model in models]
        turn = conversation.begin(question, images, keys, blind=chosen.blind and len(models) > 1)
        turn.system_prompt = chosen.system_prompt
        turn.authors = {key: _author(model) for key, model in zip(keys, models, strict=True)}
        requests = [
            ChatRequest(
                model=model.model,
                run=model.run,
                messages=conversation.messages(key, chosen.system_prompt),
                images=conversation.images,
                sampling=settings,
            )
            for key, model in zip(keys, models, strict=True)
        ]
        for key, request in zip(keys, requests, strict=True):
            turn.asked[key] = request.model_dump(mode="json", exclude={"messages", "images"}) | {
                "messages": []
            }
        return turn, requests

    def _answer(
        self, conversation: ChatConversation, turn: Turn, requests: list[ChatRequest]
    ) -> Iterator[list[StudioError]]:
        """Take in answers until they end or are not wanted; the errors since the last redraw."""
        answers = list(turn.answers.values())
        errors: list[StudioError] = []
        drawn = time.monotonic()
        answering: Any = self.context.inference.compare(
            requests, lambda number: answers[number].stopped
        )
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

    def _choose_columns(self, conversation: ChatConversation, chosen: Chosen) -> list[ChatModel]:
        known = self.context.inference.models()
        models = columns(known, chosen.key, chosen.compare, chosen.others, chosen.quantization)
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
        listed: Any = gr.skip(),  # noqa: B008
    ) -> Updates:
        return (
            conversation,
            page(conversation),
            question,
            notice,
            gr.Button(visible=not conversation.busy),
            gr.Button("Stop", visible=conversation.busy),
            memory,
            listed,
        )


def _key_at(conversation: ChatConversation, turn: Turn, place: int) -> str:
    """Return whose answer stands at a place of the page."""
    shown = turn.shown if turn.blind else [key for key, _ in conversation.columns]
    return shown[place] if place < len(shown) else ""


def _author(model: ChatModel) -> str:
    """Return who an answer is by: `RUN@STEP`, a run, or the base model."""
    if not model.run:
        return base_label(model.model)
    step = "" if model.step is None else f"@{model.step}"
    return f"{model.run_id}{step}"


def _file(conversation: ChatConversation, kind: str) -> dict[str, str]:
    """Return a file for the page to save; its mark makes the same file a new value."""
    markdown = kind == "markdown"
    return {
        "name": f"{conversation.name}.{'md' if markdown else 'json'}",
        "text": as_markdown(conversation) if markdown else as_json(conversation),
        "type": "text/markdown" if markdown else "application/json",
        "mark": secrets.token_hex(4),
    }


def _files(sample: ChatSample) -> list[str]:
    return [cached(image) for image in sample.images]
