"""The Evaluate tab shows what is on disk, queues what it is asked, and refuses in place."""

from __future__ import annotations

import shutil

import pytest

from studio.annotation.records import ItemFilter
from studio.evaluation.evaluation import MetricResult, ModelResult, PairedResult
from studio.evaluation.evaluation_store import EvaluationStore, finish, update_status
from studio.evaluation.match import MatchStore
from studio.evaluation.row_filters import FILTERS
from studio.ui.evaluate import tab as module
from tests.evaluation.answered_evaluations import answered, question
from tests.ui.evaluate.evaluate_tab import Clicked, changed, seen, view, visible

LOOK = ("all", "", 0)
ANSWERS = {"base": ["0", "no <b>idea</b>", "7"], "tuned": ["0", "1", "8"]}


@pytest.fixture
def said(monkeypatch):
    told = []
    monkeypatch.setattr(module, "say", told.append)
    return told


def scored(tab, **options):
    """A finished evaluation with figures."""
    made = answered(tab.context.workspace, ANSWERS, **options)
    figure = MetricResult(0.5, 0.2, 0.8, 3)
    pair = PairedResult(0.25, 0.1, 0.4, 0.0004, "better", 3, 40)
    results = {
        "base": ModelResult({"exact_match": figure}),
        "tuned": ModelResult({"exact_match": figure}, {"exact_match": pair}, sentences=("A < B",)),
    }
    finish(EvaluationStore(tab.context.workspace).paths(made), results, {}, "cpu", [])
    return made.evaluation_id


def test_nothing_yet_says_what_to_do(tab):
    shown = view(tab.open(None, *LOOK))
    assert "No evaluations yet" in shown["list"] and "Choose an evaluation" in shown["head"]
    assert visible(shown) == set()


def test_figures_rows_and_differences_of_the_newest_are_shown_inert(tab):
    name = scored(tab)
    shown = view(tab.open("gone", *LOOK))
    assert shown["chosen"] == name and "tuned against base" in shown["head"]
    for words in ("50 %", "20 % to 80 %", "+25.0", "p &lt; 0.001", "better", "A &lt; B"):
        assert words.replace("&lt;", "<") in shown["figures"] or words in shown["figures"], words
    assert "no &lt;b&gt;idea&lt;/b&gt;" in shown["rows"] and "<b>idea" not in shown["rows"]
    assert visible(shown) == {"blind", "delete"}


def test_rows_are_narrowed_and_a_page_shown_already_is_left_out(tab):
    name = scored(tab)
    counts = {
        which: view(tab.show(name, which, "", 0))["rows"].count("<article") for which in FILTERS
    }
    assert counts == {
        "all": 3, "fixed": 1, "broken": 0, "both wrong": 1, "different": 2, "empty": 0, "failed": 0,
    }  # fmt: skip
    assert view(tab.show(name, "all", "IDEA chart", 0))["rows"].count("<article") == 1
    page = tab.show(name, *LOOK)
    assert changed(tab.look(name, seen(page), *LOOK)) == set()
    other = tab.look(name, seen(page), "fixed", "", 0)
    assert changed(other) >= {"beat", "rows"} and "figures" not in changed(other)


def test_many_rows_are_turned_page_by_page(tab):
    texts = [str(number) for number in range(45)]
    made = answered(tab.context.workspace, {"base": texts}, rows=[question(n) for n in range(45)])
    page, *shown = tab.turn(Clicked(page="2"), made.evaluation_id, *LOOK)
    assert page == 2 and view(shown)["rows"].count("<article") == 5
    assert 'data-page="1"' in view(shown)["rows"] and "Later" not in view(shown)["rows"]
    page, *shown = tab.narrow(made.evaluation_id, "empty", "", 2)
    assert page == 0 and "No rows match" in view(shown)["rows"]


def test_the_form_queues_what_it_says_and_refuses_beside_the_field(tab):
    typed = ["embedded", ["run@3"], "base", "embedded:heldout", "train", 20, [], 32]
    trouble, page, chosen, *_ = tab.start(*typed, *LOOK)
    ((wanted, limit),) = tab.context.supervisor.evaluations.calls
    assert (trouble, page, chosen, limit) == ("", 0, "made", 20)
    assert (wanted.adapters, wanted.against, wanted.split) == (("run@3",), "base", "train")
    assert wanted.max_new_tokens == 32
    for place, wrong, said in (
        (0, " ", "Which base model?"),
        (3, "", "Which rows?"),
        (5, 0, "Rows at most"),
        (7, 1.5, "Longest answer"),
    ):
        refused = tab.start(*[*typed[:place], wrong, *typed[place + 1 :]], *LOOK)
        assert said in refused[0]
    assert len(tab.context.supervisor.evaluations.calls) == 1
    alone = tab.form.submit(*["embedded", [], "base", "embedded:heldout", "", None, [], None])
    assert alone == ("made", "") and tab.context.supervisor.evaluations.calls[-1][0].against == ""


def test_the_buttons_follow_the_state_and_act(tab, said):
    name = answered(tab.context.workspace, ANSWERS, ended=False).evaluation_id
    paths = tab.context.workspace.evaluation(name)
    shown = view(tab.show(name, *LOOK))
    assert visible(shown) == {"stop", "delete"} and "Starts when no run trains" in shown["head"]
    update_status(paths, state="failed", message="The <disk> is full.", done=1, total=6)
    shown = view(tab.show(name, *LOOK))
    assert visible(shown) == {"resume", "delete"} and "The &lt;disk&gt; is full" in shown["head"]
    tab.resume(name, *LOOK)
    tab.stop(name, *LOOK)
    assert tab.context.supervisor.evaluations.calls == [("resume", name), ("stop", name)]
    assert "was deleted" not in view(tab.delete(name, *LOOK))["head"]
    assert tab.reader.list() == [] and said == []
    assert tab.delete(None, *LOOK) == (module.gr.skip(),) * len(view(tab.show(None, *LOOK)))


def test_an_evaluation_that_goes_while_it_is_shown_leaves_the_page_whole(tab, said):
    name, other = scored(tab), scored(tab)
    page = tab.show(name, *LOOK)
    shutil.rmtree(tab.context.workspace.evaluation(name).root)
    assert "was deleted" in view(tab.look(name, seen(page), *LOOK))["head"]
    tab.blind(None, name, *LOOK)
    tab.delete(name, *LOOK)
    assert len(said) == 2 and "There is no evaluation" in str(said[0])
    assert view(tab.open(name, *LOOK))["chosen"] == other


def test_a_match_is_made_judged_and_ended(tab, said):
    name = scored(tab)
    shown = view(tab.blind(None, name, *LOOK))
    assert "0 of 2 pairs judged" in shown["match"] and visible(shown) == {
        "judge",
        "close",
        "delete",
    }
    (match,) = MatchStore(tab.context.workspace).list()
    assert f'data-imported="{match.dataset}"' in shown["match"]
    shown = view(tab.close(name, *LOOK))
    assert "The judging has ended" in shown["match"] and visible(shown) == {"delete"}
    assert said == []


def test_rows_shown_go_to_the_library_with_who_answered_what(tab):
    name = scored(tab)
    told = tab.send_to_library(name, "different", "", "again", None)
    assert "2 rows added to again" in told
    assert "2 were there already" in tab.send_to_library(name, "different", "", "again", None)
    items = tab.context.store.browse(ItemFilter(dataset="again"))
    assert [item.external_id for item in items] == ["row-1", "row-2"]
    assert {answer.author for answer in items[0].candidates} >= {"base", "tuned"}
    assert "There is no row to send" in tab.send_to_library(name, "broken", "", "again", None)
    assert "is gone" in tab.send_to_library("nothing", "all", "", "again", None)
