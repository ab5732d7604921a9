"""Host names the studio answers to."""

from __future__ import annotations

import httpx
import pytest


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[oops", ""])
def test_only_names_of_this_machine_are_answered_without_logins(open_to_all, host):
    for path in ("/", "/health", "/studio/pulse", "/config"):
        found = httpx.get(open_to_all.rstrip("/") + path, headers={"host": host})
        assert found.status_code in (400, 403), path


def test_names_that_were_given_hold_with_logins_too(guarded, monkeypatch):
    foreign = {"host": "evil.example"}
    assert httpx.get(f"{guarded}login", headers=foreign).status_code == 200
    monkeypatch.setenv("STUDIO_HOSTS", "studio.example")
    assert httpx.get(f"{guarded}login", headers=foreign).status_code == 403
    assert httpx.get(f"{guarded}login").status_code == 200
