"""The Chat tab: ask a model about images, one model or base and adapter side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config.setting_list import FieldSpec, field_specs
from studio.inference.client import InferenceStatus
from studio.inference.sampling import Sampling
from studio.launch.chat_votes import VERDICTS, VOTES
from studio.ui.chat.handlers import ChatHandlers
from studio.ui.chat.kept import list_html
from studio.ui.chat.models import EMBEDDED_KEY, MOST_COLUMNS, QUANTIZATIONS, choices
from studio.ui.chat.samples import ChatSample, load_samples
from studio.ui.chat.state import ChatConversation
from studio.ui.chat.views import memory_line, page
from studio.ui.shared.page_scripts import on_load

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
    others: gr.Dropdown
    blind: gr.Checkbox
    quantization: gr.Dropdown
    dataset: gr.Textbox
    listed: gr.HTML
    exported: gr.HTML
    columns: gr.HTML
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
        "others": gr.Dropdown(
            choices(context.inference.models()),
            value=[],
            multiselect=True,
            max_choices=MOST_COLUMNS - 1,
            label="Side by side with",
            info="Up to three more models answer the same question.",
            elem_id="chat-others",
        ),
        "blind": gr.Checkbox(
            label="Blind",
            info="Hides who says what, in a new order each time, until you vote.",
            elem_id="chat-blind",
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
    with gr.Accordion("Conversations", open=True):
        parts["listed"] = gr.HTML(
            list_html((), ""), js_on_load=on_load("chat-list"), elem_id="chat-conversations"
        )
    parts["exported"] = gr.HTML(None, html_template="", js_on_load=on_load("run-file"))
    with gr.Accordion("More settings", open=False):
        parts["quantization"] = gr.Dropdown(
            [("As the model or run says", ""), *((name, name) for name in QUANTIZATIONS)],
            value="",
            label="Quantization",
            info="Loads the models so; another choice loads them again.",
            elem_id="chat-quantization",
        )
        parts["dataset"] = gr.Textbox(
            label="Dataset for votes",
            placeholder=f"{VOTES}; good and bad: {VERDICTS}",
            info="In the library; what you say of answers goes there.",
            max_length=200,
        )
        parts["sampling"] = [_control(spec) for spec in field_specs(Sampling)]
        parts["system_prompt"] = gr.Textbox(
            label="System prompt", info="Put before the conversation.", lines=2
        )
    with gr.Row(elem_classes="chat-memory-row"):
        parts["memory"] = gr.HTML(memory_line(InferenceStatus()))
        parts["unload"] = gr.Button("Unload model", size="sm", scale=0, min_width=110)
    return parts


def _right(samples: list[ChatSample]) -> dict[str, Any]:
    columns = gr.HTML(
        page(ChatConversation()), js_on_load=on_load("chat-columns"), elem_id="chat-answer"
    )
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
        clear = gr.Button("New", scale=0, min_width=72, elem_id="chat-clear")
    return {
        "columns": columns,
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
        widgets.columns,
        widgets.question,
        widgets.notice,
        widgets.send,
        widgets.stop,
        widgets.memory,
        widgets.listed,
    ]
    asked = [*_choosing(widgets), widgets.system_prompt, *widgets.sampling]
    gr.on(
        [widgets.send.click, widgets.question.submit],
        handlers.ask,
        [widgets.conversation, widgets.question, widgets.images, *asked],
        drawn,
        concurrency_limit=AT_ONCE,
        show_progress="hidden",
    )
    widgets.columns.click(
        handlers.act,
        [widgets.conversation, widgets.question, widgets.dataset, *asked],
        drawn,
        concurrency_limit=AT_ONCE,
        show_progress="hidden",
    )
    # An event of its own: `click` takes no other one while a retry of it is under way.
    widgets.columns.stop(
        handlers.stop_one,
        widgets.conversation,
        [widgets.conversation, widgets.columns],
        queue=False,
        show_progress="hidden",
    )
    widgets.stop.click(handlers.stop, widgets.conversation, widgets.stop, queue=False)
    widgets.clear.click(
        handlers.clear, widgets.conversation, drawn, queue=False, show_progress="hidden"
    )
    _connect_choices(handlers, widgets, context, drawn)
    _connect_list(handlers, widgets, context, drawn)


def _choosing(widgets: Widgets) -> list[gr.components.Component]:
    return [
        widgets.model,
        widgets.compare,
        widgets.others,
        widgets.blind,
        widgets.quantization,
    ]


def _connect_list(
    handlers: ChatHandlers,
    widgets: Widgets,
    context: StudioContext,
    drawn: list[gr.components.Component],
) -> None:
    widgets.listed.click(
        handlers.manage,
        widgets.conversation,
        [*drawn, widgets.model, widgets.others, widgets.compare, widgets.exported],
        show_progress="hidden",
    )
    if context.shell is not None:
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        load = context.shell.page.load
        load(handlers.listed, widgets.conversation, widgets.listed, **quiet)


def _connect_choices(
    handlers: ChatHandlers,
    widgets: Widgets,
    context: StudioContext,
    drawn: list[gr.components.Component],
) -> None:
    chosen = [
        widgets.conversation,
        *_choosing(widgets),
        widgets.system_prompt,
        *widgets.sampling,
    ]
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
    for switch in (widgets.compare, widgets.others, widgets.quantization):
        switch.change(handlers.show, chosen, drawn, **quiet)
    widgets.samples.select(
        handlers.pick_sample,
        [widgets.conversation, widgets.offered],
        [widgets.images, widgets.question, widgets.conversation],
    ).then(handlers.show, chosen, drawn, **quiet)
    widgets.unload.click(handlers.unload, None, [widgets.memory, widgets.notice], **quiet)
    shell = context.shell
    if shell is not None:
        shell.tab.select(handlers.refresh, None, [widgets.model, widgets.others], **quiet).then(
            handlers.listed, widgets.conversation, widgets.listed, **quiet
        ).then(handlers.memory, None, widgets.memory, **quiet)
        shell.chat_with.change(
            handlers.follow_link,
            [shell.chat_with, widgets.question, widgets.offered],
            [widgets.model, widgets.compare, widgets.images, widgets.question],
            **quiet,
        )
