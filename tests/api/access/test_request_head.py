"""What the first lines of a request tell the gate."""

from __future__ import annotations

import pytest

from studio.api.access.accounts import Account
from studio.api.access.request_head import RequestHead, opens_page, without_odd_range
from studio.api.access.rules import SMALL, rule_for
from studio.api.uploads import FRAMING, MAX_PERSON

UPLOAD = "/gradio_api/upload"


def scope(path: str = "/", method: str = "GET", **headers: str) -> dict:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "query_string": b"",
            "scheme": "http", "server": ("127.0.0.1", 80), "headers": named}  # fmt: skip


def head(path: str = "/", method: str = "GET", **headers: str) -> RequestHead:
    return RequestHead(scope(path, method, **headers), rule_for(method, path))


@pytest.mark.parametrize(
    ("said", "length"),
    [("0", 0), ("17", 17), ("", None), ("-1", None), ("1e3", None), ("٣", None), ("9" * 16, None)],
)
def test_the_length_is_a_number_or_unknown(said, length):
    assert head(content_length=said).length == length


def test_a_body_without_a_length_or_with_a_long_one_is_not_short():
    assert head().is_short and head(content_length=str(SMALL)).is_short
    assert not head(content_length=str(SMALL + 1)).is_short
    assert not head(transfer_encoding="chunked").is_short


def test_files_may_be_as_long_as_a_person_s_room_and_nothing_else_may():
    assert head(UPLOAD, "POST").limit == MAX_PERSON + FRAMING
    assert head("/login", "POST").limit < MAX_PERSON


def test_who_asks_is_the_account_s_name_or_everybody_s():
    asked = head()
    assert asked.person == "local"
    asked.account = Account("ana", "annotator", "scrypt$$")
    assert asked.person == "ana"


@pytest.mark.parametrize("path", ["/login", "/invite/x", "/accounts/remove", "/annotate/config"])
def test_addresses_of_logins_are_known_by_their_first_part(path):
    assert head(path).is_of_logins
    assert not head(f"/studio{path}").is_of_logins


@pytest.mark.parametrize(
    ("sent", "opens"),
    [
        ({"sec_fetch_dest": "document"}, True),
        ({"sec_fetch_dest": "iframe"}, True),
        ({"sec_fetch_dest": "empty", "accept": "text/html,application/xml"}, False),
        ({"accept": "text/html,application/xhtml+xml"}, True),  # plain HTTP says no destination
        ({"accept": "*/*"}, False),
        ({}, False),
    ],
)
def test_a_page_is_opened_by_who_says_so_or_asks_for_html(sent, opens):
    assert opens_page(scope(**sent)) is opens
    assert not opens_page(scope(method="HEAD", **sent))


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=5-", "bytes=-7"])
def test_a_range_that_can_be_read_stays(asked):
    told = scope(range=asked)
    assert without_odd_range(told) is told


@pytest.mark.parametrize("asked", ["bytes=", "bytes=a-b", "bytes=0-1,4-5", "lines=1-2", "-"])
def test_any_other_range_goes_and_the_rest_stays(asked):
    told = without_odd_range(scope(range=asked, accept="*/*"))
    assert told["headers"] == [(b"accept", b"*/*")]
