"""Completions and rankings out of preferences; policies; the card; the push; the way back in."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from studio.annotation import ExportPolicy, Span
from studio.annotation.export.export_shapes import completions, rankings
from studio.annotation.export.hub_publish import card, push
from studio.annotation.export.preference_export import export_preferences
from studio.core.errors import DataError, InputError, RunFailedError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part
from studio.data.sources import open_source
from tests.annotation.conftest import answer, make_row
from tests.annotation.hub import Hub, running


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


def row(best: str, worst: str, pair: int = 1, **meta):
    values = {"chosen": Answer(best, "a"), "rejected": Answer(worst, "b"), "candidates": ()}
    return make_row(1, external_id=f"r#{pair}", meta={"pair": pair, **meta}, **values)


def texts(rows) -> list[str]:
    return [one.completion.text for one in completions(rows)[0]]


def test_the_best_answer_of_an_item_is_what_people_wrote_else_what_was_never_rejected():
    chain = [row("a", "b", 1), row("b", "c", 2)]
    assert texts(chain) == ["a"]
    assert texts([*chain, row("a2", "a", 3, written="edit")]) == ["a2"]
    assert texts([*chain, row("a2", "a", 3, written="edit"), row("i", "b", 4, written="ideal")]) == ["i"]  # fmt: skip
    circle = [row("a", "b", 1), row("b", "c", 2), row("c", "a", 3)]
    assert completions(circle) == ([], 1)
    assert completions(chain)[0][0].external_id == "r"


def test_a_ranking_orders_by_comparisons_won():
    (ranking,) = rankings([row("a", "b", 1), row("b", "c", 2), row("a", "c", 3)])
    assert [one.text for one in ranking.answers] == ["a", "b", "c"]
    assert (ranking.wins, ranking.losses) == ((2, 1, 0), (0, 1, 2))


@pytest.fixture
def voted(store):
    """Three people over six pairs; they agree on the first three only."""
    for number in range(6):
        prompt = (Message("user", (Part("text", f"Which is {number}?"),)),)
        store.add_rows("charts", [make_row(number, images=(), prompt=prompt)])
    values = {"overlap": 3, "repeat_share": 0}
    store.team.change_settings("lea", "charts", values)
    for name in ("ana", "ben", "cho"):
        while card := store.claim(name):
            first = "left" if card.left.candidate_id < card.right.candidate_id else "right"
            other = "right" if first == "left" else "left"
            store.save(answer(card, name, other if name == "cho" and card.pair_id > 3 else first))
    return store


def test_minimum_agreement_and_annotators(voted):
    assert len(voted.preferences("charts")) == 6
    found = voted.decided_preferences("charts", ExportPolicy(minimum_agreement=0.8))
    assert (len(found.rows), found.left_out) == (3, {"low_agreement": 3})
    only = voted.preferences("charts", ExportPolicy(annotators=("cho",)))
    assert sum(one.chosen.text.startswith("blue") for one in only) == 3


def test_lengths_are_balanced_by_a_repeatable_draw(store):
    rows = [make_row(n, images=(), candidates=(Answer(f"long {n}"), Answer(str(n)))) for n in range(20)]  # fmt: skip
    store.add_rows("charts", rows)
    while card := store.claim("ana"):
        longer = "left" if card.left.text.startswith("long") else "right"
        shorter = "right" if longer == "left" else "left"
        store.save(
            answer(card, "ana", shorter if card.pair_id <= 5 else longer, repeat=card.repeat)
        )
    policy = ExportPolicy(balance_lengths=True)
    found = store.decided_preferences("charts", policy)
    assert len(found.rows) == 10
    assert sum(one.chosen.text.startswith("long") for one in found.rows) == 5
    assert found.left_out["lengths"] == 10
    assert store.decided_preferences("charts", policy).rows == found.rows


def export(store, workspace, **changes):
    settings = {"dataset": "charts", "name": "mine"} | changes
    return export_preferences(store, ImageStore(workspace), workspace, **settings)


@pytest.mark.parametrize("format", ["trl", "jsonl", "csv", "parquet"])
def test_completions_read_back(voted, workspace, format):
    made = export(voted, workspace, shape="completions", format=format)
    assert made.rows == 6
    spec = made.source if format == "trl" else str(next(made.path.glob(f"*.{format}")))
    found = [
        one.completion.text
        for split in open_source(spec, workspace=workspace).splits
        for one in open_source(spec, split=split, workspace=workspace).rows()
    ]
    wanted, _ = completions(voted.preferences("charts"))
    assert sorted(found) == sorted(one.completion.text for one in wanted)


def test_ranked_answers_and_the_manifest(voted, workspace):
    made = export(voted, workspace, shape="ranked", format="jsonl", minimum_agreement=0.8)
    lines = (made.path / "ranked.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert [one["wins"] for one in json.loads(lines[0])["answers"]] == [1, 0]
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert manifest["policy"]["minimum_agreement"] == 0.8
    assert manifest["shape"] == "ranked"
    assert len(manifest["content_hash"]) == 64
    assert "less agreement than asked for" in (made.path / "README.md").read_text("utf-8")


def test_everything_people_said_with_marks_aspects_and_what_is_no_preference(store, workspace):
    candidates = (Answer("🙂 nine bars", "a"), Answer("eight", "b"))
    store.add_rows("charts", [make_row(n, candidates=candidates) for n in range(2)])
    store.team.change_settings("lea", "charts", {"aspects": ["Faithful", "Short"], "overlap": 2})
    with pytest.raises(DataError, match="nobody"):
        export(store, workspace, shape="answers", format="jsonl")
    card = store.claim("ana")
    nine, eight = sorted((card.left, card.right), key=lambda side: side.candidate_id)
    details = {
        "spans": (Span(nine.candidate_id, 3, 7),),
        "aspects": {"Faithful": eight.candidate_id, "Short": 0},
        "comment": "counted twice",
        "ideal": "Eight.",
    }
    store.save(answer(card, "ana", kind="both_bad", **details))
    store.save(answer(store.claim("ben"), "ben", kind="skip", reason="blurred"))
    made = export(store, workspace, shape="answers", format="jsonl")
    lines = (made.path / "answers.jsonl").read_text("utf-8").splitlines()
    ana, ben = (json.loads(line) for line in lines)
    assert ana["answers"][0] == {"text": "🙂 nine bars", "author": "a"}
    assert ana["marks"] == [{"answer": 0, "start": 3, "end": 7, "text": "nine"}]
    assert ana["aspects"] == {"Faithful": 1, "Short": "both"}
    assert (ana["kind"], ana["preferred"], ana["ideal"]) == ("both_bad", None, "Eight.")
    assert (ana["comment"], ana["seconds"]) == ("counted twice", 1.5)
    assert (ben["annotator"], ben["kind"], ben["reason"]) == ("ben", "skip", "blurred")
    assert made.rows == 2 and made.answers
    only = export(store, workspace, shape="answers", format="jsonl", annotators=("ben",))
    assert only.rows == 1 and only.path != made.path
    assert export(store, workspace, shape="answers", format="jsonl") == made


@pytest.mark.parametrize("format", ["trl", "jsonl"])
def test_another_rule_for_the_same_rows_is_written_down_too(voted, workspace, format):
    first = export(voted, workspace, format=format)
    for _ in range(2):
        assert export(voted, workspace, format=format, minimum_votes=2).path == first.path
    manifest = json.loads((first.path / "manifest.json").read_text("utf-8"))
    assert manifest["policy"]["minimum_votes"] == 1
    assert [one["policy"]["minimum_votes"] for one in manifest["also_by"]] == [2]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shape": "ranked"}, "shape"),
        ({"shape": "answers", "format": "csv"}, "shape"),
        ({"evaluation_share": 1.0}, "evaluation_share"),
        ({"shape": "best"}, "shape"),
        ({"minimum_agreement": 1.5}, "minimum_agreement"),
    ],
)
def test_what_cannot_be_exported(voted, workspace, changes, field):
    with pytest.raises(DataError) as caught:
        export(voted, workspace, **changes)
    assert caught.value.field == field


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with running() as address:
        yield address


def test_a_push_brings_every_file_and_the_card(voted, workspace, hub):
    made = export(voted, workspace, format="jsonl")
    push(made.path, "me/mine", endpoint=hub)
    assert set(Hub.files) >= {"README.md", "manifest.json", "preferences.jsonl"}
    assert Hub.files["preferences.jsonl"] == (made.path / "preferences.jsonl").read_bytes()
    assert b"image-text-to-text" in Hub.files["README.md"]


def test_a_refused_push_says_so(voted, workspace, hub, monkeypatch):
    made = export(voted, workspace, format="jsonl")
    monkeypatch.setattr(Hub, "refuse", True)
    with pytest.raises(RunFailedError, match="failed") as caught:
        push(made.path, "me/mine", endpoint=hub)
    assert "log in" in caught.value.remedy.lower()
    with pytest.raises(InputError):
        push(made.path, "../x", endpoint=hub)


def test_what_people_typed_is_no_markup_in_the_card():
    hostile = (
        "<img src=http://t.example/a onerror=alert(1)> ![b](http://t.example/b) "
        "[c](javascript:alert(1)) **d** `e` $$f$$ <http://t.example/g>\n# h\n- i"
    )
    made = card({"dataset": hostile, "policy": {"annotators": [hostile]}, "content_hash": "0"})
    header, body = made.split("\n---\n", 1)
    shown = MarkdownIt("commonmark").render(body)
    assert "t.example" not in header
    assert set(re.findall(r"<(\w+)", shown)) <= {"h1", "h2", "p", "ul", "li", "code"}
    assert shown.count("<code>") == 1 and shown.count("<h1>") == 1
    assert unescape(shown).count(" ".join(hostile.split())) == 2
    assert body.count("$$") == 0
