"""Questions with images that are offered: the studio's, and a run's own."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from studio.data.sources import open_source
from studio.ui.chat.handlers import ChatHandlers
from studio.ui.chat.models import EMBEDDED_KEY
from studio.ui.chat.samples import load_samples
from studio.ui.chat.state import ChatConversation
from tests.ui.chat.fake_inference import (
    handlers,
    trained,
)


def test_samples_come_with_an_image_and_a_question() -> None:
    samples = load_samples()

    assert samples
    assert all(sample.shown.is_file() and sample.question for sample in samples)
    assert load_samples(Path("absent.jsonl")) == []


@pytest.mark.usefixtures("shown_files")
def test_a_runs_own_questions_come_before_the_charts_of_the_studio(
    tmp_path: Path, image: str
) -> None:
    built_in = load_samples()
    chat = ChatHandlers(handlers(tmp_path).context, built_in)
    run_id = trained(chat, image, source="embedded:preferences", evaluation="evaluation")

    _, _, offered, gallery, note = chat.choose(f"run:{run_id}")
    own = [sample for sample in offered if sample.own]
    assert [sample.question for sample in own[:2]] == ["Colour?", "Kept?"]
    assert len(own) == 8 and offered[8:] == built_in
    assert len(gallery.value) == len(offered)
    assert "first 8 questions are this run's own" in note
    evaluated = open_source(
        "embedded:preferences", split="evaluation", workspace=chat.context.workspace
    )
    assert own[2].question == evaluated.preview(1).rows[0].question

    conversation = ChatConversation()
    conversation.begin("Old?", [], ["k"])
    event = gr.EventData(None, {"index": 0})
    images, question, kept = chat.pick_sample(conversation, offered, event)
    assert question == "Colour?" and Path(images[0]).is_file() and kept.turns == []

    _, _, offered, gallery, note = chat.choose(EMBEDDED_KEY)
    assert offered == built_in and note == ""


def test_questions_whose_images_are_gone_are_left_out(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path)
    run_id = trained(chat, image, source="exports/gone")
    chat.context.images.path(chat.context.images.add(image)).unlink()
    assert chat.offered(run_id) == []
