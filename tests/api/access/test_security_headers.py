"""The headers of every answer, over real connections: nothing foreign reads, frames or runs."""

from __future__ import annotations

import httpx

from studio.api.context import close_context, open_context
from tests.api.access.guarded_site import (
    JOIN,
    session,
)
from tests.ui.serving import served


def test_a_foreign_page_reads_and_frames_nothing(open_to_all, monkeypatch):
    site = httpx.Client(base_url=open_to_all)
    reads = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert site.get("/studio/annotate/datasets", headers=reads).status_code == 403
    framed = reads | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    assert site.get("/", headers=framed).status_code == 403
    opened = framed | {"sec-fetch-dest": "document"}
    assert site.get("/", headers=opened).status_code == 200
    page = site.get("/", headers={"origin": "http://evil.example"})
    assert not [name for name in page.headers if name.startswith("access-control")]
    asks = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    preflight = site.options(JOIN, headers=asks)
    assert preflight.status_code == 403
    assert not [name for name in preflight.headers if name.startswith("access-control")]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_every_answer_carries_the_headers(guarded):
    with session(guarded, "lea") as site, httpx.Client(base_url=guarded) as stranger:
        for answered in (site.get("/"), site.get("/config"), site.get("/nothing"),
                         site.get("/account"), stranger.get("/login"), stranger.get("/health"),
                         stranger.post(JOIN, json={}), stranger.get("/")):  # fmt: skip
            headers = answered.headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "frame-ancestors" in headers["content-security-policy"]
            assert "server" not in headers


def test_scripts_run_by_name_only_and_nothing_comes_from_elsewhere(guarded):
    with session(guarded, "lea") as site:
        one, two = site.get("/"), site.get("/")
    policies = [answered.headers["content-security-policy"] for answered in (one, two)]
    assert policies[0] != policies[1]
    scripts = next(part for part in policies[0].split("; ") if part.startswith("script-src"))
    nonce = scripts.split("'nonce-")[1].split("'")[0]
    assert one.text.count("<script") == one.text.count(f'<script nonce="{nonce}"') > 3
    assert "'unsafe-inline'" not in scripts
    assert "http:" not in policies[0] and "https:" not in policies[0]


def test_a_space_may_be_shown_by_the_hub_and_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "lea/studio")
    context = open_context(str(tmp_path / "workspace"))
    with served(context, ("annotate",)) as address:
        framed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
                  "sec-fetch-dest": "iframe"}  # fmt: skip
        page = httpx.get(address, headers=framed)
        assert page.status_code == 200 and "x-frame-options" not in page.headers
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'self' https://huggingface.co" in policy
        foreign = {"origin": "https://huggingface.co", "sec-fetch-site": "cross-site"}
        assert httpx.post(f"{address}gradio_api/upload", headers=foreign).status_code == 403
    close_context(context)
