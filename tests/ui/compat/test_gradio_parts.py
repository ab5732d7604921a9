"""What is done with Gradio beside its components."""

from __future__ import annotations

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio import state_holder

from studio.ui.compat.gradio_parts import SlimSession

EVENTS = 5


def kept(number_of_events: int) -> int:
    """How many components a session holds after events that take and change one."""
    with gr.Blocks() as page:
        field = gr.Dropdown(["a"], value="a", allow_custom_value=True)
        line = gr.HTML("")
        turn = gr.State(0)

        def choose(value: str, turn: int):
            shown = gr.update(choices=["a", "b", str(turn)]) if turn % 2 else value
            return shown, gr.update(value=f"<b>{turn}</b>") if turn % 2 else "plain", turn + 1

        page.load(choose, [field, turn], [field, line, turn], queue=False)
    app = gr.mount_gradio_app(FastAPI(), page, path="/")
    with TestClient(app) as client:
        for _ in range(number_of_events):
            answer = client.post(
                "/gradio_api/run/predict",
                json={"data": ["a", None], "fn_index": 0, "session_hash": "here"},
            )
            assert answer.status_code == 200
        (session,) = page.state_holder.session_data.values()
    assert set(session.blocks_config.blocks) >= set(page.blocks)
    return len(session.blocks_config.blocks) + len(session.config_values)


@pytest.mark.parametrize("slim", [False, True])
def test_a_session_keeps_one_of_each_component(monkeypatch, slim):
    """Without the studio's own sessions it grows: when it no longer does, these can go."""
    usual = SlimSession.__mro__[1]
    monkeypatch.setattr(state_holder, "SessionState", SlimSession if slim else usual)
    few, many = kept(EVENTS), kept(3 * EVENTS)
    assert many == few if slim else many > few
