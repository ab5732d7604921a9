"""What Gradio runs as text is one call into the page's modules, and a module answers it."""

from __future__ import annotations

import re

import gradio as gr
import pytest

from studio.api.context import close_context, open_context
from studio.core.paths import WEB
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.app import build_page

COMPONENT = re.compile(
    r'window\.studio\.attach\("([\w-]+)", \{element, trigger, props, watch\}\)', re.ASCII
)
EVENT = re.compile(r'\(\.\.\.values\) => window\.studio\.run\("([\w-]+)"(, .+)?, \.\.\.values\)')

GRADIO_S = gr.HTML().js_on_load  # what every HTML component has unless it is told otherwise


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> dict:
    """The whole page as Gradio sends it to the browser."""
    context = open_context(str(tmp_path_factory.mktemp("page") / "workspace"))
    yield build_page(context).get_config_file()
    close_context(context)


def listed(table: str) -> set[str]:
    """What a table in main.js names."""
    text = (WEB / "main.js").read_text(encoding="utf-8")
    body = re.search(rf"^const {table} = {{\n(.*?)^}};", text, re.S | re.M)
    return set(re.findall(r'^  "?([\w-]+)"?[:,]', body[1], re.M))


def test_components_call_what_main_js_lists(config):
    scripts = {part["props"].get("js_on_load") for part in config["components"]}
    found = [COMPONENT.fullmatch(text) for text in scripts - {None, GRADIO_S}]
    assert all(found) and len(found) > 12
    assert {one[1] for one in found} == listed("components")


def test_events_call_what_main_js_lists(config):
    scripts = {event["js"] for event in config["dependencies"] if event["js"]}
    found = [EVENT.fullmatch(text) for text in scripts]
    assert all(found) and len(found) > 10
    assert {one[1] for one in found} == listed("hooks")


def test_calls_carry_values_as_json():
    assert COMPONENT.fullmatch(on_load("run-list"))[1] == "run-list"
    call = EVENT.fullmatch(hook("recall-look", 0.6, False, "it's"))
    assert (call[1], call[2]) == ("recall-look", ', 0.6, false, "it\'s"')
