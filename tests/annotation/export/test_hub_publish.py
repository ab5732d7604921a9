"""The dataset card, and the push of an export to the hub."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from studio.annotation.export.hub_publish import card, push
from studio.core.errors import InputError, RunFailedError
from tests.annotation.export.conftest import export
from tests.annotation.hub import Hub, running


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
