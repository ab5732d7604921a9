"""The Evaluate tab shows what is on disk, queues what it is asked, and refuses in place."""

from __future__ import annotations

import shutil

import gradio as gr
import pytest

from studio.annotation.records import ItemFilter
from studio.config import RunConfig
from studio.core.errors import InputError
from studio.evaluation.evaluation import MetricResult, ModelResult, PairedResult
from studio.evaluation.evaluation_store import EvaluationStore, finish, update_status
from studio.evaluation.match import MatchStore
from studio.evaluation.row_filters import FILTERS
from studio.runs import status as run_status
from studio.ui.evaluate import form
from studio.ui.evaluate import tab as module
from studio.ui.shell.change_notification import evaluations_word
from tests.evaluation.answered_evaluations import answered, question
from tests.ui.evaluate.evaluate_tab import Clicked, changed, seen, view, visible

LOOK = ("all", "", None, None, 0)
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
    assert visible(shown) == {"blind", "delete", "people"}


def test_rows_are_narrowed_and_a_page_shown_already_is_left_out(tab):
    name = scored(tab)
    counts = {
        which: view(tab.show(name, which, "", None, None, 0))["rows"].count("<article")
        for which in FILTERS
    }
    assert counts == {
        "all": 3, "fixed": 1, "broken": 0, "both wrong": 1, "different": 2, "empty": 0, "failed": 0,
    }  # fmt: skip
    assert view(tab.show(name, "all", "IDEA chart", None, None, 0))["rows"].count("<article") == 1
    page = tab.show(name, *LOOK)
    assert changed(tab.look(name, seen(page), *LOOK)) == set()
    other = tab.look(name, seen(page), "fixed", "", None, None, 0)
    assert changed(other) >= {"beat", "rows"} and "figures" not in changed(other)


def test_many_rows_are_turned_page_by_page(tab):
    texts = [str(number) for number in range(45)]
    made = answered(tab.context.workspace, {"base": texts}, rows=[question(n) for n in range(45)])
    page, *shown = tab.turn(Clicked(page="2"), made.evaluation_id, *LOOK)
    assert page == 2 and view(shown)["rows"].count("<article") == 5
    assert 'data-page="1"' in view(shown)["rows"] and "Later" not in view(shown)["rows"]
    page, *shown = tab.narrow(made.evaluation_id, "empty", "", None, None, 2)
    assert page == 0 and "No rows match" in view(shown)["rows"]


TYPED = {
    "model": "embedded", "contestants": ["run@3"], "against": "base", "data": "embedded:heldout",
    "split": "train", "limit": 20, "tokens": 32, "metrics": [], "columns": "", "metric_file": "",
    "quantization": "none", "batch_size": 16, "same_base": False, "key_from": "",
}  # fmt: skip


def typed(**values):
    return [*(TYPED | values).values(), values.pop("suggested", [])]


def test_the_form_queues_what_it_says_and_refuses_at_the_field(tab):
    columns = "question=query, answer = label"
    errors, trouble, page, chosen, *_ = tab.start(None, *typed(columns=columns), *LOOK)
    ((wanted, named, limit),) = tab.context.supervisor.evaluations.calls
    assert (errors, trouble, page, chosen, limit) == ([], "", 0, "made", 20)
    assert named == {"question": "query", "answer": "label"}
    assert (wanted.adapters, wanted.against, wanted.split) == (("run@3",), "base", "train")
    assert wanted.max_new_tokens == 32
    for name, wrong, said in (
        ("model", " ", "Which base model?"),
        ("data", "", "Which rows?"),
        ("limit", 0, "Rows at most"),
        ("tokens", 1.5, "Longest answer"),
        ("columns", "query", "names no column"),
        ("batch_size", -1, "Rows asked at once"),
    ):
        errors, trouble, *_ = tab.start(None, *typed(**{name: wrong}), *LOOK)
        ((place, text),) = [one.values() for one in errors]
        assert place == name.replace("_", "-") and said in text
        # What is folded may not be seen, so it is said beside the button as well.
        assert (said in trouble) == (name in form.FOLDED)
    assert len(tab.context.supervisor.evaluations.calls) == 1
    alone = tab.form.submit(None, *typed(contestants=[], limit=None, tokens=None))
    assert (
        alone == ("made", [], "") and tab.context.supervisor.evaluations.calls[-1][0].against == ""
    )


def test_metrics_are_suggested_from_the_rows_until_others_are_chosen(tab):
    rows = ["embedded:heldout", "", ""]
    shown, suggested, errors = tab.form.suggest(None, *rows, "base", ["run"], [], [])
    assert shown["value"] == suggested and "exact_match" in suggested and errors == []
    kept = tab.form.suggest(None, *rows, "base", [], ["chrf"], suggested)
    assert kept == (gr.skip(), gr.skip(), [])
    hub = tab.form.suggest(None, "some/hub-data", "", "", "base", [], [], [])
    assert hub[1] == []  # the network is not asked before somebody presses Start
    (error,) = tab.form.suggest(None, "library:gone", "", "", "base", [], [], [])[2]
    assert error["field"] == "data" and "gone" in error["text"]
    tab.start(None, *TYPED.values(), suggested, *LOOK)
    tab.start(None, *(TYPED | {"metrics": suggested}).values(), suggested, *LOOK)
    assert {call[0].metrics for call in tab.context.supervisor.evaluations.calls} == {()}


def test_a_queued_one_says_which_run_it_waits_for(tab):
    name = answered(tab.context.workspace, ANSWERS, ended=False).evaluation_id
    word = evaluations_word(tab.context)
    run = tab.context.runs.create(RunConfig())
    assert "Waits for 1 run in the queue" in view(tab.show(name, *LOOK))["head"]
    assert evaluations_word(tab.context) != word  # so that open pages look again
    run_status.update_status(run.paths, state="running")
    shown = view(tab.show(name, *LOOK))["head"]
    assert f"Waits for the run &quot;{run.config.name}&quot;" in shown


def test_whoever_is_no_lead_changes_nothing(tab, said, monkeypatch):
    name = scored(tab)
    monkeypatch.setattr(type(tab.context), "is_lead", lambda *_: False)
    ana = object()
    assert "Only a lead" in tab.start(ana, *typed(), *LOOK)[1]
    for act in (tab.stop, tab.resume, tab.close, tab.delete, tab.forget):
        act(ana, name, *LOOK)
    tab.count_judge(Clicked(judge="judge:x", act="count"), ana, name, *LOOK)
    tab.blind(ana, name, 1, False, *LOOK)
    assert len(said) == 7 and tab.context.supervisor.evaluations.calls == []
    assert "Only a lead" in tab.send_to_library(ana, name, *LOOK[:-1], "x")[0]
    assert tab.reader.get(name) and MatchStore(tab.context.workspace).list() == []
    with pytest.raises(InputError):
        tab.form.offers(ana)


def test_of_several_models_each_can_be_looked_at(tab):
    answers = {**ANSWERS, "broken": ["no", "no", "no"]}
    name = answered(tab.context.workspace, answers).evaluation_id
    shown = view(tab.show(name, *LOOK))
    assert shown["subject"]["visible"] and shown["subject"]["value"] == "tuned"
    broken = view(tab.show(name, "broken", "", "broken", None, 0))
    assert broken["rows"].count("<article") == 1 and broken["subject"]["value"] == "broken"
    assert "No rows match" in view(tab.show(name, "broken", "", "gone", "gone", 0))["rows"]


def test_runs_and_their_evaluation_lead_to_each_other(tab):
    made = answered(tab.context.workspace, ANSWERS, runs={"tuned": "20260101-mine"})
    assert 'data-run="20260101-mine"' in view(tab.show(made.evaluation_id, *LOOK))["head"]
    (run, _), tabs = tab.to_run(Clicked(run="20260101-mine"))
    assert run == "20260101-mine" and tabs.selected == "runs"
    assert tab.to_run(Clicked()) == (gr.skip(), gr.skip())


def test_the_buttons_follow_the_state_and_act(tab, said):
    name = answered(tab.context.workspace, ANSWERS, ended=False).evaluation_id
    paths = tab.context.workspace.evaluation(name)
    shown = view(tab.show(name, *LOOK))
    assert visible(shown) == {"stop", "delete"} and "Starts in a moment" in shown["head"]
    update_status(paths, state="failed", message="The <disk> is full.", done=1, total=6)
    shown = view(tab.show(name, *LOOK))
    assert visible(shown) == {"resume", "delete"} and "The &lt;disk&gt; is full" in shown["head"]
    tab.resume(None, name, *LOOK)
    tab.stop(None, name, *LOOK)
    assert tab.context.supervisor.evaluations.calls == [("resume", name), ("stop", name)]
    assert "was deleted" not in view(tab.delete(None, name, *LOOK))["head"]
    assert tab.reader.list() == [] and said == []
    assert tab.delete(None, None, *LOOK) == (module.gr.skip(),) * len(view(tab.show(None, *LOOK)))


def test_an_evaluation_that_goes_while_it_is_shown_leaves_the_page_whole(tab, said):
    name, other = scored(tab), scored(tab)
    page = tab.show(name, *LOOK)
    shutil.rmtree(tab.context.workspace.evaluation(name).root)
    assert "was deleted" in view(tab.look(name, seen(page), *LOOK))["head"]
    tab.blind(None, name, 1, False, *LOOK)
    tab.delete(None, name, *LOOK)
    assert len(said) == 2 and "There is no evaluation" in str(said[0])
    assert view(tab.open(name, *LOOK))["chosen"] == other


def test_a_match_is_made_judged_and_ended(tab, said):
    name = scored(tab)
    shown = view(tab.blind(None, name, 1, False, *LOOK))
    assert "0 of 2 pairs judged" in shown["match"] and visible(shown) == {
        "judge",
        "judge_box",
        "close",
        "forget",
        "delete",
    }
    (match,) = MatchStore(tab.context.workspace).list()
    assert f'data-imported="{match.dataset}"' in shown["match"]
    shown = view(tab.close(None, name, *LOOK))
    assert "The judging has ended" in shown["match"] and visible(shown) == {
        "forget",
        "delete",
        "judge_box",
    }
    assert said == []


def test_a_match_is_deleted_before_its_evaluation(tab, said, monkeypatch):
    name, told = scored(tab), []
    monkeypatch.setattr(module, "inform", told.append)
    tab.blind(None, name, 1, False, *LOOK)
    (match,) = MatchStore(tab.context.workspace).list()
    tab.delete(None, name, *LOOK)
    assert "has a match: 2 pairs" in said.pop().message and tab.reader.get(name)
    assert tab.forget(None, None, *LOOK)[0] == gr.skip(), "the confirmation was refused"
    shown = view(tab.forget(None, name, *LOOK))
    assert "Blind match" not in shown["match"] and visible(shown) == {"blind", "people", "delete"}
    assert told == [f"Match {match.match_id} is forgotten. 2 pairs not judged are excluded: "
                    "nobody is asked any more."]  # fmt: skip
    assert tab.context.store.claim("ana", match.dataset) is None
    tab.delete(None, name, *LOOK)
    assert tab.reader.get(name) is None and said == []


def test_rows_shown_go_to_the_library_with_who_answered_what(tab):
    name = scored(tab)
    different = ("different", "", None, None)
    told, label = tab.send_to_library(None, name, *different, "again")
    assert "2 rows added to again" in told and 'data-imported="again"' in told
    assert label["visible"]
    told, _ = tab.send_to_library(None, name, *different, "again")
    assert "2 were there already" in told
    items = tab.context.store.browse(ItemFilter(dataset="again"))
    assert [item.external_id for item in items] == ["row-1", "row-2"]
    assert {answer.author for answer in items[0].candidates} >= {"base", "tuned"}
    told, label = tab.send_to_library(None, name, "broken", "", None, None, "again")
    assert "There is no row to send" in told and not label["visible"]
    assert "is gone" in tab.send_to_library(None, "nothing", *LOOK[:-1], "again")[0]


def test_an_endpoint_becomes_a_contestant_and_says_what_it_would_be_sent(tab, monkeypatch):
    monkeypatch.setenv("EXAMPLE_KEY", "sk-1")
    url, before = "https://vlm.example.com/v1", ["run@3"]
    contestants, named, leaves = tab.form.add_endpoint(
        None, url, " big-vlm ", "embedded", before, "EXAMPLE_KEY"
    )
    added = f"endpoint:{url}#big-vlm"
    assert contestants["value"] == ["run@3", added] and named == ""
    assert "leave this machine: they are sent to vlm.example.com" in leaves
    assert tab.form.leaving(None, "embedded", before, "") == ""
    tab.start(None, *typed(contestants=[*before, added], key_from=" EXAMPLE_KEY "), *LOOK)
    ((wanted, *_),) = tab.context.supervisor.evaluations.calls
    assert (wanted.adapters, wanted.key_from) == (("run@3", added), "EXAMPLE_KEY")
    for values, words in (
        (("", "m", "embedded", [], ""), "http"),
        ((url, "", "embedded", [], ""), "named with its model"),
        ((url, "m", "embedded", [], "sk-secret-1"), "name of an environment variable"),
        ((url, "m", "embedded", [], "NOT_SET_HERE"), "NOT_SET_HERE is not set"),
    ):
        kept, typed_name, told = tab.form.add_endpoint(None, *values)
        assert kept == typed_name == gr.skip() and words in told
        assert "sk-secret-1" not in told


def test_a_match_that_cannot_be_read_is_said_and_no_second_one_offered(tab, said):
    name = scored(tab)
    tab.blind(None, name, 1, False, *LOOK)
    (match,) = MatchStore(tab.context.workspace).list()
    path = tab.context.workspace.matches / f"{match.match_id}.json"
    path.write_bytes(path.read_bytes()[:-20])
    shown = view(tab.show(name, *LOOK))
    assert f"match --delete {match.match_id}" in shown["match"]
    assert visible(shown) == {"forget", "delete"}
    tab.blind(None, name, 1, False, *LOOK)
    assert "is damaged" in said[0].message
    tab.forget(None, name, *LOOK)
    assert visible(view(tab.show(name, *LOOK))) == {"blind", "people", "delete"}
