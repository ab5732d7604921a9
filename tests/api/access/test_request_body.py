"""Bodies of requests over real connections: what is too long or too slow ends."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from studio.api.access import request_body
from studio.api.access.rules import ANNOTATE, EVENT, SMALL
from tests.api.access.guarded_site import (
    GROWTH,
    JOIN,
    cookie,
    grown,
    session,
)
from tests.ui.raw_http import answer, connected, head, poured

MANY = 250  # MB


JSON = "Content-Type: application/json"


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/reset", f"{ANNOTATE}{JOIN}", "/no/such/path"])
@pytest.mark.parametrize("how", [f"Content-Length: {MANY << 20}", "Transfer-Encoding: chunked"])
def test_a_stranger_is_refused_before_anything_is_read(guarded, path, how):
    before = psutil.Process().memory_info().rss
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", path, JSON, how))
        said = answer(line)  # nothing of the body was sent yet
        assert said.startswith("HTTP/1.1 401 ") and "Log in" in said
        poured(line, MANY, "chunked" in how)
    assert grown(before) < GROWTH


@pytest.mark.parametrize("how", [f"Content-Length: {MANY << 20}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("name", "path"),
    [("", "/login"), ("ana", f"{ANNOTATE}{JOIN}"), ("lea", JOIN), ("lea", "/studio/team/gold")],
)
def test_a_body_has_an_end_for_everybody(guarded, name, path, how):
    who = [cookie(guarded, name)] if name else []
    kind = JSON if name else "Content-Type: application/x-www-form-urlencoded"
    before = psutil.Process().memory_info().rss
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", path, kind, how, "X-Studio: 1", *who))
        if "chunked" in how:
            poured(line, (EVENT >> 20) + 1, chunked=True)
        said = answer(line)
        assert said.startswith(("HTTP/1.1 413 ", "HTTP/1.1 411 "))
        poured(line, MANY, "chunked" in how)
    assert grown(before) < GROWTH


def test_nothing_more_is_read_of_a_stranger_who_was_refused(guarded, monkeypatch):
    monkeypatch.setattr(request_body, "LINGER_SECONDS", 600.0)
    form = "Content-Type: application/x-www-form-urlencoded"
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", "/login", form, "Transfer-Encoding: chunked"))
        line.sendall(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
        line.settimeout(30)
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(65_536):  # until the studio ends the connection
                got += piece
    assert not got or got.startswith(b"HTTP/1.1 413 ")


def test_what_people_send_in_earnest_fits(guarded):
    with session(guarded, "lea") as site:
        body = {"data": ["x" * (EVENT // 2)], "fn_index": 100_000, "session_hash": "s"}
        answer = site.post(JOIN, json=body)
        assert answer.status_code == 422 and "no such function" in answer.text  # read to its end


def test_an_annotator_sends_gradio_little(guarded):
    """What an event says is kept by Gradio until somebody fetches it."""
    with session(guarded, "ana") as site:
        body = {"data": ["x" * SMALL], "fn_index": 0, "session_hash": "s"}
        assert site.post(f"{ANNOTATE}{JOIN}", json=body).status_code == 413


def test_who_never_ends_the_body_is_cut_off(guarded, monkeypatch):
    monkeypatch.setattr(request_body, "PIECE_SECONDS", 0.2)
    monkeypatch.setattr(request_body, "LINGER_SECONDS", 0.2)
    with connected(guarded) as line:
        kind = "Content-Type: application/x-www-form-urlencoded"
        line.sendall(head(guarded, "POST", "/login", kind, "Content-Length: 20") + b"name=l")
        assert answer(line).startswith("HTTP/1.1 408 ")
