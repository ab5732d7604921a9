"""The page is sent with the tab open that its address names."""

from __future__ import annotations

import asyncio

import pytest

from studio.ui.shell.initial_tab import OpenTab

PAGE = b'<script>{"props":{"elem_id":"studio-tabs"}}</script>{"elem_id":"studio-tabs"}'


def sent(query: str, *, path: str = "/", method: str = "GET") -> tuple[bytes, dict[str, str]]:
    """What reaches the browser of a page that comes in pieces."""
    messages: list[dict] = []

    async def page(scope, receive, send) -> None:
        headers = [(b"content-length", str(len(PAGE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:30], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[30:]})

    async def send(message) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode("latin-1"),
    }
    asyncio.run(OpenTab(page, ("data", "annotate"))(scope, None, send))
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return b"".join(message.get("body", b"") for message in messages[1:]), headers


def test_the_wanted_tab_is_chosen_once_and_the_length_is_that_of_the_page():
    body, headers = sent("x=1&tab=annotate")
    assert body.count(b'"selected":"annotate","elem_id":"studio-tabs"') == 1
    assert headers["content-length"] == str(len(body))


@pytest.mark.parametrize(
    "query", ["", "tab=", "tab=gone", 'tab="},alert(1)', "tab=%ff", "tab=\xff"]
)
def test_a_tab_that_is_none_changes_nothing(query):
    assert sent(query) == (PAGE, {"content-length": str(len(PAGE))})


def test_other_addresses_and_methods_pass_untouched():
    for asked in ({"path": "/config"}, {"method": "HEAD"}):
        assert sent("tab=annotate", **asked)[0] == PAGE
