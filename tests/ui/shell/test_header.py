"""The line above the tabs: what runs, whose page it is, whether labels are kept elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.annotation.database.journal import JournalState
from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.config import RunConfig
from studio.evaluation.evaluation_store import began
from studio.runs import queue
from studio.runs.status import update_status
from studio.ui.shell.change_notification import header_word
from studio.ui.shell.header import PageHeader, header, journal, user
from tests.evaluation.answered_evaluations import answered

TABS = ("data", "annotate", "train", "runs", "chat")


class Asker:
    """A request of somebody; None: of nobody."""

    def __init__(self, account):
        self.account = account


class Named:
    """Accounts that know who asks."""

    def of_request(self, request):
        return request.account


@pytest.fixture
def context(tmp_path):
    opened = open_context(str(tmp_path / "workspace"))
    yield opened
    close_context(opened)


@pytest.fixture
def shown(context):
    """The line, drawn anew."""
    return PageHeader(context, TABS).html


def test_the_run_that_trains_is_shown_with_how_far_it_is(context, shown):
    assert "nothing running" in shown()
    run = context.runs.create(RunConfig(name="<b>mine"))
    assert "waits for its turn" in shown() and "&lt;b&gt;mine" in shown()
    queue.set_paused(context.workspace, True)
    assert "queue paused" in shown()
    started = {"state": "running", "step": 1, "total_steps": 4, "stage": "training"}
    update_status(run.paths, **started)
    assert "25 %" in shown() and f'data-run="{run.run_id}"' in shown()
    update_status(run.paths, state="finished", stage="")
    assert "nothing running" in shown() and "mine" not in shown()


def test_what_is_evaluated_is_shown_while_nothing_trains(context, shown):
    made = answered(context.workspace, {"base": ["1"]}, ended=False)
    paths = context.workspace.evaluation(made.evaluation_id)
    assert "nothing running" in shown()
    word = header_word(context, [])
    began(paths, done=1, total=4)
    assert "Evaluating" in shown() and "25 %" in shown() and 'data-tab="evaluate"' in shown()
    assert header_word(context, []) != word
    assert "Evaluating" not in PageHeader(context, ("annotate",)).html()
    context.runs.create(RunConfig(name="mine"))
    assert "Evaluating" not in shown() and "mine" in shown()


def test_a_page_without_runs_tells_of_none(context):
    context.runs.create(RunConfig(name="mine"))
    assert "mine" not in PageHeader(context, ("annotate",)).html()


def test_names_are_no_html(context):
    assert "<b>x" not in header("<b>x", "") and "&lt;b&gt;x" in header("<b>x", "")


def test_whose_page_it_is_is_said(context, tmp_path):
    assert ">local</span>" in user(context, Asker(None))
    file = tmp_path / "accounts.yaml"
    add_user(file, "lea", "lead", "a long password")
    account = Accounts.load(file).account("lea")
    closed = replace(context, accounts=Named())
    assert ">lea</span>" in user(closed, Asker(account)) and "lea, lead" in user(
        closed, Asker(account)
    )
    assert user(closed, Asker(None)) == ""
    assert "/logout" in PageHeader(closed, TABS).html()
    assert "/accounts" not in PageHeader(closed, ("annotate",)).html()
    assert "/accounts" in PageHeader(closed, (*TABS, "team")).html()


def test_labels_that_are_only_here_are_an_alarm():
    assert "never" in journal(JournalState()) and "alert" not in journal(JournalState())
    failing = journal(JournalState(None, 2, "<no> network"))
    assert 'role="alert"' in failing and "&lt;no&gt; network" in failing
