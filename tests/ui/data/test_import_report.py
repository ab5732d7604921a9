"""What an import did and what can be done next, with a real store and no browser."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from studio.annotation import ItemFilter
from studio.annotation.library.dataset_next_steps import NextSteps
from studio.annotation.library.import_job import ImportStatus
from studio.annotation.library.import_report import ImportReport
from studio.annotation.library.imported_labels import GivenLabels
from studio.annotation.library.rejection_reasons import grouped
from studio.annotation.library.row_differences import Change, ChangedRow
from studio.annotation.library.source_import import import_source
from studio.api.upload_folders import Piece
from studio.cli.import_report import next_lines
from studio.data.schema import BadRow
from studio.ui.data import views as look
from studio.ui.data.import_form import ROLES, Typed
from studio.ui.data.import_report import STEPS
from studio.ui.data.item_view import detail
from studio.ui.data.state import LibraryState
from tests.preflight.conftest import drawing, saved
from tests.ui.data.click_event import event
from tests.ui.library_tab import FIELDS, HOSTILE, REQUEST, imported, typed

PNG = saved(drawing(1))


@pytest.fixture
def upload(tab):
    """Sends files as the page does; returns what is uploaded."""

    def send(contents, into=""):
        folders, sizes = tab.form.uploads, [len(content) for content in contents.values()]
        key = folders.begin("ana", into, len(sizes), sum(sizes), max(sizes))
        pieces = [Piece(name, 0, len(content)) for name, content in contents.items()]
        folders.write("ana", key, pieces, b"".join(contents.values()))
        return folders.finish("ana", key)

    return send


def lines(count, **more):
    rows = [
        {"id": str(n), "question": f"{n}?", "chosen": "yes", "rejected": "no"} | more
        for n in range(count)
    ]
    return "\n".join(map(json.dumps, rows)).encode()


def start(tab, *values):
    """Import what the form holds; what its page shows at the end."""
    _, refused, number = tab.form.start(REQUEST, *values)
    assert not refused
    tab.form.importer.wait(30)
    return tab.arrived(LibraryState(), number, REQUEST)


def test_an_upload_is_imported_under_its_name_and_goes(tab, upload):
    files = upload({"pairs.jsonl": lines(3)})
    sent = event(upload=files.key)
    key, source = tab.form.uploaded(sent, REQUEST, "", "")
    assert (key, source) == (files.key, "upload:pairs.jsonl")
    html, *_ = tab.form.preview_upload(REQUEST, *typed(source, *FIELDS, upload=key))
    assert "Recognised as: Preferences" in html and "3 rows" in html
    shown = start(tab, *typed(source, *FIELDS, upload=key))
    assert "Imported into pairs" in shown["report"]
    assert files.key in shown["area"] and shown["upload"] == "" and shown["typed_source"] == ""
    assert not files.folder.exists()
    html, *_ = tab.form.preview(REQUEST, *typed(source, *FIELDS, upload=key))
    assert "not here any more" in html and "Drop them again" in html


def test_an_upload_stays_while_its_images_are_missing_and_they_join_it(tab, upload):
    files = upload({"pairs.jsonl": lines(2, image="images/a.png")})
    values = typed("upload:x", *FIELDS, upload=files.key)
    html, *_ = tab.form.preview(REQUEST, *values)
    assert "2 of the first 2 rows cannot be used" in html
    assert "drop them, or their folder, into the area above" in html
    tab.form.start(REQUEST, *values)
    assert tab.form.importer.wait(30).state == "failed"
    told = tab.arrived(LibraryState(), 1, REQUEST)
    assert "Nothing was imported" in told["result"] and "into the area above" in told["result"]
    joined = upload({"images/a.png": PNG}, files.key)
    shown = start(tab, *typed("upload:x", *FIELDS, upload=joined.key))
    assert "2 added" in shown["report"] and not joined.folder.exists()


def test_a_file_of_one_row_that_cannot_be_used_is_told_without_inner_names(tab, upload):
    files = upload(
        {"one.jsonl": b'{"question": "q", "chosen": "a", "rejected": "b", "image": "x.png"}'}
    )
    values = typed("upload:one.jsonl", *FIELDS, upload=files.key)
    html, *_ = tab.form.preview(REQUEST, *values)
    assert "<b>1 row cannot be used</b>" in html
    tab.form.start(REQUEST, *values)
    tab.form.importer.wait(30)
    told = tab.arrived(LibraryState(), 1, REQUEST)["result"]
    assert "The only row of JSONL file one.jsonl cannot be used; row 1" in told
    assert "data.source" not in told


def test_a_broken_line_far_down_is_named_in_the_preview(tab, upload):
    files = upload({"rows.jsonl": lines(9) + b"\nbroken"})
    html, *_ = tab.form.preview(REQUEST, *typed("upload:x", *FIELDS, upload=files.key))
    assert "<b>1 row further down cannot be used</b>" in html and "Row 10: not valid JSON" in html


def test_an_upload_stays_after_an_import_that_left_rows_out(tab, upload):
    rows = lines(2, image="a.png") + b"\n" + lines(1, id="p", image="p.png")
    files = upload({"pairs.jsonl": rows, "a.png": PNG})
    shown = start(tab, *typed("upload:x", *FIELDS, upload=files.key))
    assert "1 row cannot be used" in shown["report"]
    assert "open the form with “Import more”" in shown["report"]
    assert "area" not in shown and (files.folder / "a.png").is_file()


def test_who_did_not_send_an_upload_cannot_read_it(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    tab.context.name = "bea"
    html, *_ = tab.form.preview(REQUEST, *typed("upload:x", *FIELDS, upload=files.key))
    assert "not here any more" in html
    assert tab.form.uploaded(event(upload=files.key), REQUEST, "", "") == ("", gr.skip())
    tab.context.name, tab.context.lead = "ana", False
    _, refused, _ = tab.form.start(REQUEST, *typed("upload:x", *FIELDS, upload=files.key))
    assert "Only leads" in refused and files.path.is_file()


def test_a_typed_source_stays_when_files_come_back_after_a_reload(tab, upload):
    files = upload({"a.jsonl": lines(1)})
    sent = event(upload=files.key, again=True)
    assert tab.form.uploaded(sent, REQUEST, "owner/name", "") == (files.key, gr.skip())
    assert tab.form.uploaded(sent, REQUEST, "", "")[1] == "upload:a.jsonl"
    removed = event(upload="", removed=files.key)
    assert tab.form.uploaded(removed, REQUEST, "upload:a.jsonl", files.key) == ("", "")
    assert tab.form.uploaded(removed, REQUEST, "owner/name", files.key) == ("", gr.skip())


def test_the_next_steps_are_those_there_are(tab, source):
    imported(tab, source(3))
    shown = tab.arrived(LibraryState(), 1, REQUEST)
    assert shown["train"]["visible"] and shown["train"]["value"] == "Train on these 3 pairs"
    assert shown["label_these"]["visible"]
    assert shown["label_these"]["value"] == "Label these 3 pairs"
    assert not shown["write"]["visible"]
    (asked, _), _ = tab.done.train(shown["dataset"])
    assert asked == ("library:pairs", "dpo")


def test_rows_without_answers_are_told_how_they_get_some(tab, tmp_path):
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "How many?"}))
    shown = start(tab, *typed(str(path), *FIELDS))
    assert not shown["train"]["visible"] and not shown["label_these"]["visible"]
    assert shown["write"]["visible"] and "1 row has no answer yet" in shown["write"]["value"]
    at = (shown["shown"], shown["dataset"], REQUEST)
    assert tab.done.counted_anew(*at)["write_these"]["visible"]
    tab.context.store.delete(tab.context.store.ids())
    now = tab.done.counted_anew(*at)  # rows have changed since: answered, or as here deleted
    assert set(now) == set(STEPS) and not any(now[name]["visible"] for name in STEPS)
    assert tab.done.counted_anew(0, "", REQUEST) == {}
    tab.context.store.restore(tab.context.store.ids(ItemFilter(deleted=True)))
    path.write_text(
        json.dumps({"id": "1", "question": "How many?", "candidates": {"a": "1", "b": "2"}})
    )
    shown = start(tab, *typed(str(path), *FIELDS))  # as it is told there
    assert shown["label_these"]["value"] == "Label this 1 pair" and not shown["write"]["visible"]
    path.write_text(json.dumps({"id": "2", "question": "How many?", "answer": "2"}))
    shown = start(tab, *typed(str(path), *FIELDS, name="answered"))
    assert shown["train"]["value"] == "Train on this 1 row"
    (asked, _), _ = tab.done.train(shown["dataset"])
    assert asked == ("library:answered", "sft")


def test_only_pages_of_whoever_began_an_import_turn_to_it(tab, source):
    imported(tab, source(2))
    ours = tab.arrived(LibraryState(), 0, REQUEST)
    assert ours["done"]["visible"] and "form" not in ours, "a page that was loaded again"
    busy = tab.arrived(LibraryState(), 7, REQUEST)
    assert "done" not in busy and busy["state"].where.dataset is None
    tab.context.name = "bea"
    other = tab.arrived(LibraryState(), 0, REQUEST)
    assert "done" not in other and other["state"].where.dataset is None
    assert "pairs" in other["datasets"], "the list of datasets is fresh"


class Told:
    """An importer that remembers what it is asked for and reports changed rows."""

    def __init__(self, *reports):
        self.asked, self.reports = [], list(reports)
        self.status = ImportStatus()

    def start(self, spec, **options):
        self.asked.append((spec, options))
        report = self.reports.pop(0)
        self.status = ImportStatus(len(self.asked), "done", spec, report=report)
        return self.status

    def wait(self, seconds):
        return self.status


def changed(count):
    rows = [
        ChangedRow(f"{HOSTILE}{n}", (Change("question", HOSTILE, "new"),)) for n in range(count)
    ]
    return ImportReport("pairs", "Preferences", changed=rows, changed_count=count, number=1)


@pytest.mark.parametrize("choice", ["update", "keep", "new"])
def test_changed_rows_are_asked_about_and_the_answer_repeats_the_import(
    tab, upload, choice, tmp_path
):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    files = upload({"a/pairs.jsonl": lines(1), "a/b.png": b"1"})
    tab.form.importer = Told(
        changed(2), ImportReport("pairs", "Preferences", number=2, on_change=choice)
    )
    values = typed("upload:a", *FIELDS, upload=files.key, images=str(pictures), split="test")
    shown = start(tab, *values)
    assert (
        "2 rows are here under the same id with other contents: not imported yet" in shown["report"]
    )
    assert shown["changed"]["visible"] and files.path.is_dir()
    assert "<img" not in shown["report"] and "${" not in shown["report"]
    _, report, number, asking = tab.done.decided(choice, shown["shown"], REQUEST)
    assert report == gr.skip() and number == 2 and not asking["visible"]
    (spec, first), (again, second) = tab.form.importer.asked
    assert spec == again == str(files.path) and first["images"] == pictures
    assert second == {**first, "on_change": choice}
    shown = tab.arrived(LibraryState(), 2, REQUEST)
    assert not shown["changed"]["visible"] and not files.folder.exists()


def test_fields_beside_rows_are_named_and_can_be_updated(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    pictures = Change("images", "a…", "b…", (("ab" * 32,), ("cd" * 32,)))
    told = changed(0)
    told = replace(told, metadata=1, beside=[ChangedRow("7", (Change("note", "ols", "old"),))])
    tab.form.importer = Told(told, replace(changed(1), changed=[ChangedRow("8", (pictures,))]))
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert "7: note “ols” → “old”" in shown["report"]
    assert shown["changed"]["visible"] and not shown["bring_new"]["visible"]
    assert files.path.exists(), "it is asked for again"
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert shown["bring_new"]["visible"] and "a…" not in shown["report"]
    assert all(f"studio/thumbs/{sha * 32}" in shown["report"] for sha in ("ab", "cd"))


def test_an_upload_is_remembered_by_what_was_sent_and_by_whom(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    changed = lines(1).replace(b"0?", b"Really?")
    files = upload({"pairs.jsonl": changed})
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    tab.done.decided("update", shown["shown"], REQUEST)
    tab.form.importer.wait(30)
    store, person = tab.context.store, tab.context.user(REQUEST)
    (item,) = store.browse()
    assert item.source == "pairs.jsonl" and store.facets(None).sources == ("pairs.jsonl",)
    assert store.edits(item.id)[0].editor == f"import pairs.jsonl by {person}"
    made = [line for line in store.team.log(who=person) if line.action == "import"]
    assert len(made) == 3 and all("source: pairs.jsonl" in line.what for line in made)
    assert "updated: 1" in made[0].what and "rows added: 1" in made[2].what
    assert [line.who for line in store.team.log() if line.action == "import"] == [person] * 3
    html = detail(replace(item, source=str(files.path), meta={"camera": {"lens": 35}}), [])
    assert str(files.folder) not in html and "&quot;lens&quot;: 35" in html


def test_pairs_that_people_disagree_on_are_decided_and_not_trained_on(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    held = NextSteps("pairs", waiting=1, to_decide=4)
    tab.form.importer = Told(ImportReport("pairs", "Potato", number=1, next=held))
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert not shown["train"]["visible"]
    step = shown["decide_these"]
    assert (step["visible"], step["value"], step["variant"]) == (True, "Decide 4 pairs", "primary")
    assert shown["label_these"]["variant"] == "secondary"
    assert "4 pairs wait for a decision" in shown["write"]["value"]
    assert any("decide 4 pairs" in line for line in next_lines(held, "w"))


def test_an_import_nobody_remembers_is_not_repeated(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    tab.form.importer = Told(changed(1))
    start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert "does not remember" in tab.done.decided("update", 7, REQUEST)[1]
    tab.context.name = "bea"
    assert "does not remember" in tab.done.decided("update", 1, REQUEST)[1]
    tab.context.name = "ana"
    tab.form.uploads.drop("ana", files.key)
    assert "not here any more" in tab.done.decided("update", 1, REQUEST)[1]
    assert len(tab.form.importer.asked) == 1


def test_reasons_for_rows_left_out_are_grouped():
    rows = [BadRow(n, f"there is no image file '{n}.png'") for n in range(1, 8)]
    reasons = grouped([*rows, BadRow(8, HOSTILE)])
    report = ImportReport("x", "y", bad_count=9, reasons=reasons)
    html = look.report(report)
    assert (
        "7 rows (1, 2, 3, 4, 5, …), for example: there is no image file &#x27;1.png&#x27;" in html
    )
    assert "… and 1 more" in html and "<img" not in html


def test_of_two_imports_at_once_the_second_is_told_and_keeps_its_files(tab, upload, monkeypatch):
    held = threading.Event()

    def slow(*given, **options):
        held.wait(30)
        return import_source(*given, **options)

    monkeypatch.setattr("studio.annotation.library.import_job.import_source", slow)
    one, two = upload({"one.jsonl": lines(1)}), upload({"two.jsonl": lines(2)})
    _, refused, first = tab.form.start(REQUEST, *typed("upload:", *FIELDS, upload=one.key))
    assert not refused
    _, refused, second = tab.form.start(REQUEST, *typed("upload:", *FIELDS, upload=two.key))
    assert "is still being imported" in refused and second == gr.skip()
    held.set()
    tab.form.importer.wait(30)
    tab.arrived(LibraryState(), first, REQUEST)
    assert not one.folder.exists() and two.path.is_file()
    shown = start(tab, *typed("upload:", *FIELDS, upload=two.key))
    assert "Imported into two" in shown["report"]


def test_a_mapping_is_kept_with_the_dataset_and_laid_under_a_new_choice(tab, tmp_path):
    path = tmp_path / "odd.jsonl"
    row = {"id": "1", "data": {"frage": "Was?"}, "antwort": "Das.", "note": "n"}
    path.write_text(json.dumps(row))
    by_hand = ("", "data.frage", "antwort", *FIELDS[3:])
    start(tab, *typed(str(path), *by_hand))
    html, _, keep, saved, recognised, *fields = tab.form.preview(
        REQUEST, *typed(str(path), *FIELDS)
    )
    assert keep["visible"] and saved == {"question": "data.frage", "answer": "antwort"}
    assert "Read with the columns chosen before: question=data.frage" in html and "Was?" in html
    assert "data.frage" in fields[1]["choices"] and fields[1]["value"] == "data.frage"
    shown = [one["value"] for one in fields[:-1]]
    values = typed(str(path), *shown, recognised=recognised, saved=saved)
    assert Typed.of(values).columns is None, "nothing was changed: as kept"
    shown[list(ROLES).index("system")] = "note"
    changed = Typed.of(typed(str(path), *shown, recognised=recognised, saved=saved))
    assert changed.columns == {**saved, "system": "note"}
    html, *_ = tab.form.preview(REQUEST, *typed(str(path), *FIELDS, keep=False))
    assert "Column “Question”" in html or "No column was recognised" in html


def test_a_folder_of_images_that_is_not_there_is_named(tab, source, tmp_path):
    for name in (str(tmp_path / "gone"), "a\0b"):
        html, *_ = tab.form.preview(REQUEST, *typed(source(1), *FIELDS, images=name))
        assert "Folder of the images: There is no folder" in html
        _, refused, _ = tab.form.start(REQUEST, *typed(source(1), *FIELDS, images=name))
        assert "There is no folder" in refused


def test_images_that_lie_elsewhere_are_found_in_their_folder(tab, tmp_path):
    rows, pictures = tmp_path / "rows", tmp_path / "pictures"
    rows.mkdir()
    pictures.mkdir()
    (rows / "x.jsonl").write_bytes(lines(2, image="a.png"))
    (pictures / "a.png").write_bytes(PNG)
    html, *_ = tab.form.preview(REQUEST, *typed(str(rows / "x.jsonl"), *FIELDS))
    assert "name their folder under “Columns and images”" in html
    values = typed(str(rows / "x.jsonl"), *FIELDS, images=str(pictures))
    assert "cannot be used" not in tab.form.preview(REQUEST, *values)[0]
    assert "2 added" in start(tab, *values)["report"]


def test_two_answers_and_who_won_can_be_said_by_hand(tab, tmp_path):
    path = tmp_path / "battles.jsonl"
    rows = [{"id": f"{n}", "q": "Which?", "eins": "this", "zwei": "that", "sieger": "eins"}
            for n in range(2)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    chosen = {"question": "q", "first": "eins", "second": "zwei", "winner": "sieger"}
    by_hand = [chosen.get(role, "") for role in ROLES]
    html, *_ = tab.form.preview(REQUEST, *typed(str(path), *by_hand))
    assert "<b>Winner</b>" in html and "<b>First answer</b>" in html
    shown = start(tab, *typed(str(path), *by_hand))
    assert shown["train"]["value"] == "Train on these 2 pairs"


def test_with_logins_the_address_for_annotators_is_named(tab, source):
    tab.context.accounts = SimpleNamespace(by_name={"ana": None})
    imported(tab, source(2))
    shown = tab.arrived(LibraryState(), 0, REQUEST)
    assert shown["write"]["visible"]
    assert 'href="annotate/?dataset=pairs"' in shown["write"]["value"]
    assert tab.form.begun[1].options["accounts"] == ("ana",)


@pytest.mark.parametrize(
    ("given", "words", "names"),
    [
        (GivenLabels({"ana": 2, "bob": 1}), "Bring the 3 labels too", {}),
        (
            GivenLabels({"ana": 2}, {"ana": 2}, brought=True),
            "Bring the labels under these names",
            {"ana": "ana"},
        ),
    ],
)
def test_labels_left_out_can_be_brought_afterwards(tab, upload, given, words, names):
    files = upload({"pairs.jsonl": lines(1)})
    done = GivenLabels(given.found, {}, brought=True)
    tab.form.importer = Told(
        ImportReport("pairs", "Preferences", given_labels=given),
        ImportReport("pairs", "Preferences", given_labels=done),
    )
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert shown["labels_too"]["visible"] and shown["labels_too"]["value"] == words
    assert files.path.is_file(), "they are still to be read"
    _, report, number, button, field, _ = tab.done.bring_labels(
        shown["shown"], shown["labels_as"]["value"], REQUEST
    )
    assert report == gr.skip() and number == 2
    assert not button["visible"] and not field["visible"]
    (_, first), (_, second) = tab.form.importer.asked
    assert second == {**first, "labels": True, "labels_as": names}
    shown = tab.arrived(LibraryState(), 2, REQUEST)
    assert not shown["labels_too"]["visible"] and not files.folder.exists()


def test_a_name_of_the_file_can_be_that_of_somebody_else(tab, upload):
    files = upload({"pairs.jsonl": lines(1)})
    given = GivenLabels({"ana": 2, "a=b": 1}, {"ana": 2, "a=b": 1}, brought=True)
    report = ImportReport("pairs", "Preferences", given_labels=given)
    tab.form.importer = Told(report, report)
    shown = start(tab, *typed("upload:a", *FIELDS, upload=files.key))
    assert shown["labels_as"]["visible"] and shown["labels_as"]["value"] == "ana=ana\na=b=a=b"
    for wrong in ("bob=ana", "ana", "ana="):
        *rest, refused = tab.done.bring_labels(shown["shown"], wrong, REQUEST)
        assert "ana" in refused and rest == [gr.skip()] * 5
    assert len(tab.form.importer.asked) == 1
    tab.done.bring_labels(shown["shown"], " ana=ana-ls \n\na=b=c", REQUEST)
    assert tab.form.importer.asked[1][1]["labels_as"] == {"ana": "ana-ls", "a=b": "c"}
