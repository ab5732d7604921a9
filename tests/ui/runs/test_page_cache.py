"""What a page shows already is not sent again."""

from __future__ import annotations

import gradio as gr
import pytest

from studio.config import RunConfig
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import changed, seen, view


def test_poll_is_silent_until_something_changes(tab, run):
    page = tab.show(run.run_id)
    assert changed(tab.poll(run.run_id, seen(page))) == set()
    EventLog(run.paths.events).append("metrics", step=4, loss=0.5)
    answer = tab.poll(run.run_id, seen(page))
    assert changed(answer) == {"beat", "curves"}
    assert changed(tab.poll(run.run_id, seen(page, answer))) == set()


def test_what_happens_to_another_run_redraws_the_list_alone(tab, run):
    page = tab.show(run.run_id)
    other = tab.context.runs.create(RunConfig(name="other"), state="stopped")
    page = (page, tab.poll(run.run_id, seen(page)))
    other.paths.log.write_text("a line\n")
    answer = tab.poll(run.run_id, seen(*page))
    assert changed(answer) == {"beat"} and 'data-pulse="' in view(answer)["beat"]
    update_status(other.paths, state="queued")
    assert changed(tab.poll(run.run_id, seen(*page, answer))) == {"beat", "list"}


def test_an_answer_that_came_late_is_painted_over(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"), state="stopped")
    update_status(other.paths, state="stopped")
    late, page = tab.show(run.run_id), tab.show(other.run_id)
    answer = view(tab.poll(other.run_id, seen(page, late)))
    assert "other" in answer["head"] and answer["curves"] != gr.skip()
    assert answer["resume"]["visible"] and answer["compare"] != gr.skip()


@pytest.mark.parametrize("text", ["{", "[]", '{"curves": 3, "beat": null}', '{"curves": "a b c"}'])
def test_words_that_are_none_are_those_of_a_page_just_opened(tab, run, text):
    assert "head" in changed(tab.look(run.run_id, text))


def test_stale_poll_does_not_undo_a_choice(tab, run):
    assert view(tab.poll(None, ""))["chosen"] == gr.skip()
    assert view(tab.follow((run.run_id, 1))[:-1])["chosen"] == run.run_id
