"""Importing and adding by hand in the Data tab, with real stores and no browser."""

from __future__ import annotations

import json
import threading

import gradio as gr

from studio.annotation.library.source_import import import_source
from studio.ui.data.import_form import ROLES
from studio.ui.data.state import LibraryState
from tests.ui.library_tab import ASK, FIELDS, HOSTILE, REQUEST, imported, typed


def test_a_preview_fills_the_mapping_and_an_error_leaves_the_form(tab, source):
    path = source(3)
    html, _, _, _, recognised, *fields = tab.form.preview(REQUEST, *typed(path, *FIELDS))
    assert "Recognised as: Preferences" in html and "3 rows" in html
    assert recognised["image"] == "image" and fields[0]["value"] == "image"
    assert "ask" in fields[0]["choices"]
    assert fields[-1] == gr.skip(), "recognised: the columns stay folded"
    html, *rest = tab.form.preview(REQUEST, *typed(path + "x", *FIELDS))
    assert 'role="alert"' in html and all(value == gr.skip() for value in rest)


def test_columns_nobody_recognised_are_offered_to_be_mapped(tab, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({"frage": "Was?", "antwort": "Das."}))
    html, _, _, _, recognised, *fields, folded = tab.form.preview(
        REQUEST, *typed(str(path), *FIELDS)
    )
    assert "Column “Question”: No column was recognised" in html and recognised == gr.skip()
    assert folded["open"] and len(fields) == len(ROLES)
    assert all(one["choices"] == ["", "frage", "antwort"] for one in fields)
    assert not any("value" in one for one in fields), "what was typed stays"
    chosen = ("", "frage", "antwort", *FIELDS[3:])
    html, *_ = tab.form.preview(REQUEST, *typed(str(path), *chosen))
    assert "Recognised as: Questions and answers" in html and "Das." in html


def test_a_column_emptied_by_hand_is_not_guessed_again(tab, source):
    path = source(2)
    _, _, _, _, recognised, *fields, _ = tab.form.preview(REQUEST, *typed(path, *ASK))
    shown = dict(zip(ROLES, (one["value"] for one in fields), strict=True))
    without = tuple({**shown, "chosen": "", "rejected": ""}.values())
    for _ in range(2):
        html, _, _, _, recognised, *fields, _ = tab.form.preview(
            REQUEST, *typed(path, *without, recognised=recognised)
        )
        assert "Questions without answers" in html and recognised["chosen"] == "chosen"
    tab.form.start(REQUEST, *typed(path, *without, recognised=recognised))
    assert tab.form.importer.wait(30).report.added == 2
    assert [item.candidates for item in tab.context.store.browse()] == [(), ()]


def test_only_columns_changed_by_hand_overrule(tab, source):
    path = source(2)
    stale = {"image": "gone"}
    html, *_ = tab.form.preview(REQUEST, *typed(path, "gone", "ask", *FIELDS[2:], recognised=stale))
    assert "Recognised as" in html and "How many? 0" in html


def test_the_end_of_an_import_shows_once(tab, source):
    seen = tab.already_seen()["seen"]
    imported(tab, source(2, bad=1))
    told = tab.poll(seen)
    assert told["seen"] == 1 and "2 added" in told["going"] and 'arrived="1"' in told["going"]
    assert tab.poll(1) == {}
    assert tab.poll(None) == {}, "a page just opened: that import may be long past"
    shown = tab.arrived(LibraryState(), 1, REQUEST)
    assert "Imported into pairs" in shown["report"] and shown["done"]["visible"]
    assert 'href="studio/imports/1/left-out.csv"' in shown["report"]
    assert shown["state"].where.dataset == "pairs"
    assert shown["label"]["value"] == "Label the 2 waiting pairs"


def test_an_import_that_is_stopped_leaves_nothing(tab, source, monkeypatch):
    held = threading.Event()

    def slow(*given, **options):
        held.wait(30)
        return import_source(*given, **options)

    monkeypatch.setattr("studio.annotation.library.import_job.import_source", slow)
    tab.form.start(REQUEST, *typed(source(60), *ASK))
    assert tab.poll(0)["stop"]["visible"]
    going = tab.stop(REQUEST)
    assert "Stopping" in going["going"] and not going["stop"]["visible"]
    held.set()
    assert tab.form.importer.wait(30).state == "stopped"
    assert tab.context.store.datasets() == []
    told = tab.poll(0)
    assert "The import was stopped" in told["going"] and not told["stop"]["visible"]
    imported(tab, source(2))
    assert tab.context.store.count() == 2


def test_a_mapping_seen_in_the_preview_is_imported(tab, source):
    path = source(2)
    _, _, _, _, recognised, *fields, _ = tab.form.preview(REQUEST, *typed(path, *ASK))
    assert "question" not in recognised
    shown = dict(zip(ROLES, (one["value"] for one in fields), strict=True))
    by_hand = tuple({**shown, "system": "id", "id": "note"}.values())
    tab.form.start(REQUEST, *typed(path, *by_hand, recognised=recognised))
    tab.form.importer.wait(30)
    (first, _) = tab.context.store.browse()
    assert (first.question, first.external_id) == ("How many? 0", HOSTILE)
    assert [turn.role for turn in first.prompt] == ["system", "user"]
    assert first.prompt[0].text == "0"


def test_the_tick_for_labels_is_for_one_source(tab):
    with gr.Blocks() as page:
        tab.form.layout()
        tab.form.wire(gr.HTML(), gr.State(0), {})
    form = tab.form
    unticked = {
        target for fn in page.fns.values() if fn.outputs == [form.labels] for target in fn.targets
    }
    assert unticked == {(form.source._id, "change"), (form.upload._id, "change")}
