"""The server's settings, and the address that is printed."""

import pytest
from fastapi import FastAPI

from studio.api.server import address, configuration


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
        ("studio.example", "http://studio.example:80"),
    ],
)
def test_an_address_can_be_typed_into_a_browser(host, shown):
    assert address(host, 80) == shown


def test_a_proxy_is_believed_only_where_it_is_named(monkeypatch):
    monkeypatch.delenv("STUDIO_TRUSTED_PROXIES", raising=False)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert not configuration(FastAPI()).proxy_headers
    monkeypatch.setenv("STUDIO_TRUSTED_PROXIES", " 10.0.0.1 ")
    trusting = configuration(FastAPI())
    assert trusting.proxy_headers and trusting.forwarded_allow_ips == "10.0.0.1"


def test_the_server_says_nothing_of_itself_and_takes_no_sockets_of_pages():
    made = configuration(FastAPI())
    assert made.server_header is False and made.ws == "none" and made.limit_concurrency
