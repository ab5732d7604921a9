"""A model judges a match: what leaves is said before, and its figures stand apart from people's."""

from __future__ import annotations

import time

import pytest

from studio.evaluation.match import MatchStore
from studio.launch.judge_job import judge_job
from studio.ui.evaluate import tab as module
from tests.evaluation.answered_evaluations import answered
from tests.models.endpoint_stand_in import completion, stand_in
from tests.ui.evaluate.evaluate_tab import Clicked, view, visible

LOOK = ("all", "", None, None, 0)
ANSWERS = {"base": ["<b>no</b>", "no", "no"], "tuned": ["0", "1", "2"]}


@pytest.fixture
def server():
    with stand_in() as running:
        running.reply = lambda body: completion("Verdict: A")
        yield running


@pytest.fixture
def said(monkeypatch):
    told = []
    monkeypatch.setattr(module, "say", told.append)
    return told


def ended(tab, dataset):
    """The job as it is once its process has ended."""
    for _ in range(600):
        job = judge_job(tab.context.workspace, dataset)
        if job.state != "running":
            return job
        time.sleep(0.1)
    raise AssertionError("The judge did not end.")


def test_a_judge_says_what_leaves_judges_beside_people_and_is_measured(
    tab, said, server, monkeypatch
):
    name = answered(tab.context.workspace, ANSWERS).evaluation_id
    told, start = tab.judging.tell(None, name, server.url, "vlm", "", None)
    assert "There is no match" in told and not start["visible"]
    tab.blind(None, name, 1, False, *LOOK)
    (match,) = MatchStore(tab.context.workspace).list()

    for typed, words in (
        (("", "", "", None), "Which model judges?"),
        ((server.url, "vlm", "NOT_SET_HERE", None), "NOT_SET_HERE is not set"),
        (("https://vlm.example.com/v1", "vlm", "", 2), "2 pairs leave this machine"),
        (("", "embedded", "", None), "Nothing leaves this machine"),
    ):
        told, start = tab.judging.tell(None, name, *typed)
        assert words in told
        assert start["visible"] == ("machine" in words)
    told, start = tab.judging.tell(None, name, server.url, "vlm", "", None)
    assert "asked about 3 pairs, twice each" in told and "on this machine" in told
    assert server.asked == [] and start["visible"]

    shown = view(tab.begin_judge(None, name, server.url, "vlm", "", None, *LOOK))
    assert "judges now" in shown["judges"] and "judge_stop" in visible(shown)
    tab.begin_judge(None, name, server.url, "vlm", "", None, *LOOK)
    assert "is judging" in said.pop().message
    assert ended(tab, match.dataset).state == "finished"

    shown = view(tab.show(name, *LOOK))
    assert "judge:vlm" in shown["judges"] and "κ against gold" in shown["judges"]
    assert "Kept apart from what people say" in shown["judges"]
    assert "3 ties" in shown["judges"], "it always prefers the first one"
    assert "0 of 3 pairs judged" in shown["match"], "it is no person"
    assert "judge_stop" not in visible(shown)
    told, start = tab.judging.tell(None, name, server.url, "vlm", "", None)
    assert "has judged every pair" in told and not start["visible"]
    assert said == []

    told = []
    monkeypatch.setattr(module, "inform", told.append)
    count = Clicked(judge="judge:vlm", act="count")
    assert 'data-act="count"' in shown["judges"] and "The win rate of the match" in shown["judges"]
    shown = view(tab.count_judge(count, None, name, *LOOK))
    assert "counts as labels" in shown["judges"] and 'data-act="uncount"' in shown["judges"]
    assert "3 votes of programs not counted among people" in shown["match"]
    shown = view(tab.count_judge(Clicked(judge="judge:vlm", act="uncount"), None, name, *LOOK))
    assert 'data-act="count"' in shown["judges"]
    assert told == [
        "3 labels of judge:vlm count from now on.",
        "3 labels of judge:vlm are taken back.",
    ]
    tab.count_judge(Clicked(judge="ana", act="count"), None, name, *LOOK)
    assert "is no judge" in said.pop().message


def test_a_server_that_is_not_there_is_a_sentence_and_what_was_judged_stays(tab, said, server):
    name = answered(tab.context.workspace, ANSWERS).evaluation_id
    tab.blind(None, name, 1, False, *LOOK)
    (match,) = MatchStore(tab.context.workspace).list()
    tab.begin_judge(None, name, "http://127.0.0.1:9/v1", "vlm", "", None, *LOOK)
    assert said == []
    job = ended(tab, match.dataset)
    assert job.state == "failed" and "127.0.0.1:9" in job.message
    shown = view(tab.show(name, *LOOK))
    assert "ended before its time" in shown["judges"]
    tab.end_judge(None, name, *LOOK)  # nothing is left to stop
    assert said == []
