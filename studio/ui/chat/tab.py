"""The Chat tab: ask a model about images, one model or base and adapter side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config.setting_list import FieldSpec, field_specs
from studio.inference.client import InferenceStatus
from studio.inference.sampling import Sampling
from studio.ui.chat.handlers import ChatHandlers
from studio.ui.chat.models import EMBEDDED_KEY, choices
from studio.ui.chat.samples import ChatSample, load_samples
from studio.ui.chat.state import ChatConversation
from studio.ui.chat.views import memory_line, transcript

AT_ONCE = 8


@dataclass(frozen=True)
class Widgets:
    """The parts of the tab that handlers read or change."""

    conversation: gr.State
    model: gr.Dropdown
    compare: gr.Checkbox
    images: gr.Gallery
    samples: gr.Gallery
    samples_note: gr.HTML
    offered: gr.State
    system_prompt: gr.Textbox
    sampling: list[gr.components.Component]
    unload: gr.Button
    memory: gr.HTML
    chats: list[gr.HTML]
    question: gr.Textbox
    notice: gr.HTML
    send: gr.Button
    stop: gr.Button
    clear: gr.Button


def build(context: StudioContext) -> None:
    """Lay the tab out and connect it."""
    samples = load_samples()
    conversation = gr.State(ChatConversation())
    with gr.Row(elem_id="chat", equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="surface"):
            left = _left(context, samples)
        with gr.Column(scale=3, min_width=480):
            right = _right(samples)
    widgets = Widgets(conversation=conversation, **left, **right)
    _connect(ChatHandlers(context, samples), widgets, context)


def _left(context: StudioContext, samples: list[ChatSample]) -> dict[str, Any]:
    first = [str(sample.shown) for sample in samples[:1]]
    parts: dict[str, Any] = {
        "model": gr.Dropdown(
            choices(context.inference.models()),
            value=EMBEDDED_KEY,
            label="Model",
            info="Or type a hub id or a folder.",
            allow_custom_value=True,
            elem_id="chat-model",
        ),
        "compare": gr.Checkbox(
            label="Compare with base",
            info="Choose an adapter to compare it.",
            interactive=False,
            elem_id="chat-compare",
        ),
        "images": gr.Gallery(
            first,
            label="Images",
            show_label=False,
            type="filepath",
            file_types=["image"],
            sources=["upload", "clipboard"],
            interactive=True,
            columns=1,
            height=212,
            object_fit="contain",
            buttons=[],
            elem_id="chat-images",
        ),
        "samples_note": gr.HTML("", elem_id="chat-samples-note", min_height=0, padding=False),
        "samples": gr.Gallery(
            [str(sample.shown) for sample in samples],
            show_label=False,
            label="Samples",
            interactive=False,
            allow_preview=False,
            columns=4,
            object_fit="contain",
            container=False,
            buttons=[],
            visible=bool(samples),
            elem_id="chat-samples",
        ),
        "offered": gr.State(samples),
    }
    with gr.Accordion("Sampling and system prompt", open=False):
        parts["sampling"] = [_control(spec) for spec in field_specs(Sampling)]
        parts["system_prompt"] = gr.Textbox(
            label="System prompt", info="Put before the conversation.", lines=2
        )
    with gr.Row(elem_classes="chat-memory-row"):
        parts["memory"] = gr.HTML(memory_line(InferenceStatus()))
        parts["unload"] = gr.Button("Unload model", size="sm", scale=0, min_width=110)
    return parts


def _right(samples: list[ChatSample]) -> dict[str, Any]:
    nothing = transcript(ChatConversation(), "", "Answer")
    with gr.Row(equal_height=True):
        chats = [
            gr.HTML(visible=False, elem_id="chat-base"),
            gr.HTML(nothing, elem_id="chat-answer"),
        ]
    notice = gr.HTML(elem_id="chat-notice")
    with gr.Row(equal_height=True, elem_id="chat-ask"):
        question = gr.Textbox(
            samples[0].question if samples else "",
            show_label=False,
            label="Question",
            placeholder="Ask about the image…",
            lines=1,
            max_lines=6,
            max_length=20_000,
            scale=1,
            autofocus=True,
            elem_id="chat-question",
        )
        send = gr.Button("Send", variant="primary", scale=0, min_width=84, elem_id="chat-send")
        stop = gr.Button(
            "Stop", variant="stop", scale=0, min_width=84, visible=False, elem_id="chat-stop"
        )
        clear = gr.Button("Clear", scale=0, min_width=72, elem_id="chat-clear")
    return {
        "chats": chats,
        "question": question,
        "notice": notice,
        "send": send,
        "stop": stop,
        "clear": clear,
    }


def _control(spec: FieldSpec) -> gr.components.Component:
    texts = {"label": spec.label, "info": spec.help, "value": spec.default}
    if spec.maximum is not None and spec.maximum <= 2:
        return gr.Slider(spec.minimum, spec.maximum, step=0.05, **texts)
    return gr.Number(
        precision=0 if spec.kind == "integer" else None,
        minimum=spec.minimum,
        maximum=spec.maximum,
        **texts,
    )


def _connect(handlers: ChatHandlers, widgets: Widgets, context: StudioContext) -> None:
    drawn = [
        widgets.conversation,
        *widgets.chats,
        widgets.question,
        widgets.notice,
        widgets.send,
        widgets.stop,
        widgets.memory,
    ]
    gr.on(
        [widgets.send.click, widgets.question.submit],
        handlers.ask,
        [
            widgets.conversation,
            widgets.question,
            widgets.images,
            widgets.model,
            widgets.compare,
            widgets.system_prompt,
            *widgets.sampling,
        ],
        drawn,
        concurrency_limit=AT_ONCE,
        show_progress="hidden",
    )
    widgets.stop.click(handlers.stop, widgets.conversation, widgets.stop, queue=False)
    widgets.clear.click(
        handlers.clear, widgets.conversation, drawn, queue=False, show_progress="hidden"
    )
    _connect_choices(handlers, widgets, context, drawn)


def _connect_choices(
    handlers: ChatHandlers,
    widgets: Widgets,
    context: StudioContext,
    drawn: list[gr.components.Component],
) -> None:
    chosen = [widgets.conversation, widgets.model, widgets.compare]
    quiet = {"show_progress": "hidden"}
    widgets.model.change(
        handlers.choose,
        widgets.model,
        [
            widgets.compare,
            widgets.system_prompt,
            widgets.offered,
            widgets.samples,
            widgets.samples_note,
        ],
        **quiet,
    ).then(handlers.show, chosen, drawn, **quiet)
    widgets.compare.change(handlers.show, chosen, drawn, **quiet)
    widgets.samples.select(
        handlers.pick_sample,
        [widgets.conversation, widgets.offered],
        [widgets.images, widgets.question, widgets.conversation],
    ).then(handlers.show, chosen, drawn, **quiet)
    widgets.unload.click(handlers.unload, None, [widgets.memory, widgets.notice], **quiet)
    shell = context.shell
    if shell is not None:
        shell.tab.select(handlers.refresh, None, widgets.model, **quiet).then(
            handlers.memory, None, widgets.memory, **quiet
        )
        shell.chat_with.change(
            handlers.follow_link,
            [shell.chat_with, widgets.question, widgets.offered],
            [widgets.model, widgets.compare, widgets.images, widgets.question],
            **quiet,
        )
