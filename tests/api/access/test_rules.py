"""Every route of the application, and whom it answers.

A route that is not in the table below fails this test: whoever brings it (a new version of Gradio,
say) decides here who may ask for it, and in studio/api/access/rules.py, where it is closed until then.
"""

from __future__ import annotations

import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.rules import ANNOTATE, CLOSED, Who, rule_for
from studio.api.context import close_context, open_context
from studio.ui.shell.app import build_app
from tests.ui.app_routes import routes

G = "/gradio_api"
# By path as it is declared: on the main page, and on the one of the annotators.
GRADIO = {
    "/": ("lead", "member"),
    "/config": ("lead", "member"),
    "/config/": ("lead", "member"),
    "/assets/{path:path}": ("member", "member"),
    "/static/{path:path}": ("member", "member"),
    "/theme.css": ("member", "member"),
    f"{G}/theme.css": ("member", "member"),
    "/manifest.json": ("member", "member"),
    "/pwa_icon": ("member", "member"),
    "/pwa_icon/{size}": ("member", "member"),
    "/favicon.ico": ("anybody", "nobody"),
    "/robots.txt": ("anybody", "nobody"),
    f"{G}/queue/join": ("lead", "member"),
    f"{G}/queue/data": ("lead", "member"),
    f"{G}/heartbeat/{{session_hash}}": ("lead", "member"),
    f"{G}/startup-events": ("lead", "member"),
    f"{G}/cancel": ("lead", "member"),
    f"{G}/reset": ("lead", "member"),
    f"{G}/reset/": ("lead", "member"),
    f"{G}/upload": ("lead", "nobody"),
    f"{G}/upload_progress": ("lead", "nobody"),
    f"{G}/file={{path_or_url:path}}": ("lead", "nobody"),
    "/svelte/{path:path}": ("nobody", "nobody"),
    "/openapi.json": ("nobody", "nobody"),
    "/monitoring": ("nobody", "nobody"),
    "/monitoring/summary": ("nobody", "nobody"),
    "/monitoring/{key}": ("nobody", "nobody"),
    "/login/": ("nobody", "nobody"),
    f"{G}/file/{{path:path}}": ("nobody", "nobody"),
    f"{G}/proxy={{url_path:path}}": ("nobody", "nobody"),
    f"{G}/deep_link": ("nobody", "nobody"),
    f"{G}/dev/reload": ("nobody", "nobody"),
    f"{G}/openapi.json": ("nobody", "nobody"),
    f"{G}/info": ("nobody", "nobody"),
    f"{G}/info/": ("nobody", "nobody"),
    f"{G}/user": ("nobody", "nobody"),
    f"{G}/user/": ("nobody", "nobody"),
    f"{G}/login_check": ("nobody", "nobody"),
    f"{G}/login_check/": ("nobody", "nobody"),
    f"{G}/token": ("nobody", "nobody"),
    f"{G}/token/": ("nobody", "nobody"),
    f"{G}/app_id": ("lead", "member"),
    f"{G}/app_id/": ("nobody", "nobody"),
    f"{G}/runs": ("nobody", "nobody"),
    f"{G}/runs/": ("nobody", "nobody"),
    f"{G}/queue/status": ("nobody", "nobody"),
    f"{G}/component_server": ("nobody", "nobody"),
    f"{G}/component_server/": ("nobody", "nobody"),
    f"{G}/custom_component/{{id}}/{{environment}}/{{type}}/{{file_name}}": ("nobody", "nobody"),
    f"{G}/run/{{api_name}}": ("nobody", "nobody"),  # but for run/predict, below
    f"{G}/run/{{api_name}}/": ("nobody", "nobody"),
    f"{G}/api/{{api_name}}": ("nobody", "nobody"),
    f"{G}/api/{{api_name}}/": ("nobody", "nobody"),
    f"{G}/call/{{api_name}}": ("nobody", "nobody"),
    f"{G}/call/{{api_name}}/": ("nobody", "nobody"),
    f"{G}/call/v2/{{api_name}}": ("nobody", "nobody"),
    f"{G}/call/v2/{{api_name}}/": ("nobody", "nobody"),
    f"{G}/call/{{api_name}}/{{event_id}}": ("nobody", "nobody"),
    f"{G}/call/v2/{{api_name}}/{{event_id}}": ("nobody", "nobody"),
    f"{G}/stream/{{event_id}}": ("nobody", "nobody"),
    f"{G}/stream/{{event_id}}/close": ("nobody", "nobody"),
    f"{G}/stream/{{session_hash}}/{{run}}/{{component_id}}/playlist.m3u8": ("nobody", "nobody"),
    f"{G}/stream/{{session_hash}}/{{run}}/{{component_id}}/playlist-file": ("nobody", "nobody"),
    f"{G}/stream/{{session_hash}}/{{run}}/{{component_id}}/{{segment_id}}.{{ext}}": (
        "nobody",
        "nobody",
    ),
    f"{G}/process_recording": ("nobody", "nobody"),
    f"{G}/vibe-edit": ("nobody", "nobody"),
    f"{G}/vibe-edit/": ("nobody", "nobody"),
    f"{G}/undo-vibe-edit": ("nobody", "nobody"),
    f"{G}/undo-vibe-edit/": ("nobody", "nobody"),
    f"{G}/vibe-code": ("nobody", "nobody"),
    f"{G}/vibe-code/": ("nobody", "nobody"),
    f"{G}/vibe-starter-queries": ("nobody", "nobody"),
    f"{G}/vibe-starter-queries/": ("nobody", "nobody"),
}
OWN = {
    "/health": "anybody",
    "/login": "anybody",
    "/login/access.css": "anybody",
    "/logout": "anybody",
    "/invite/{token}": "anybody",
    "/account": "member",
    "/account/password": "member",
    "/account/end": "member",
    "/account/end-all": "member",
    "/accounts": "lead",
    "/accounts/invite": "lead",
    "/accounts/reset": "lead",
    "/studio/pulse": "member",
    "/studio/images/{sha}": "member",
    "/studio/thumbs/{sha}": "member",
}
ACTIONS = ("end-all", "withdraw", "role", "remove")
WHO = {"anybody": Who.ANYBODY, "member": Who.MEMBER, "lead": Who.LEAD, "nobody": Who.NOBODY}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("access")
    add_user(folder / "accounts.yaml", "lea", "lead", "password of lea")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    yield sorted(set(routes(build_app(context).routes)))
    close_context(context)


def expected(declared: str) -> str | None:
    """Whom a route should answer; None when nobody has decided."""
    if declared.startswith(f"{ANNOTATE}/studio/") or declared.startswith("/studio/"):
        path = declared.removeprefix(ANNOTATE)
        if path in OWN or path.startswith(("/studio/annotate/", "/studio/web/")):
            return "member"
        return "lead"
    if declared == ANNOTATE or declared.startswith(f"{ANNOTATE}/"):
        path = declared.removeprefix(ANNOTATE) or "/"
        if path in ("/login", "/logout"):  # Gradio's
            return "nobody"
        return GRADIO[path][1] if path in GRADIO else None
    if declared in OWN:
        return OWN[declared]
    return GRADIO[declared][0] if declared in GRADIO else None


def test_somebody_has_decided_about_every_route(asked):
    assert len(asked) > 150
    undecided = sorted({declared for _, declared, _ in asked if expected(declared) is None})
    assert undecided == ["/accounts/{action}"]  # its actions are in the next tests


def test_every_route_answers_whom_it_should(asked):
    wrong = [
        (method, declared, rule_for(method, path).who.value)
        for method, declared, path in asked
        if (who := expected(declared)) and rule_for(method, path).who is not WHO[who]
    ]
    assert wrong == []


def test_what_is_read_by_get_is_asked_by_head(asked):
    own = {(method, declared) for method, declared, _ in asked if is_own(declared)}
    read = {declared for method, declared in own if method == "GET"}
    assert {"/health", "/login", "/studio/pulse", "/studio/runs/{run_id}/log.txt"} <= read
    assert read == {declared for method, declared in own if method == "HEAD"}


def is_own(declared: str) -> bool:
    """Whether the studio, and not Gradio, declares a route."""
    return declared.removeprefix(ANNOTATE).startswith("/studio/") or declared in OWN


def test_what_paths_hide():
    for action in ACTIONS:
        assert rule_for("POST", f"/accounts/{action}").who is Who.LEAD
    assert rule_for("POST", "/accounts/x") == CLOSED
    for path, who in ((G, Who.LEAD), (f"{ANNOTATE}{G}", Who.MEMBER)):
        assert rule_for("POST", f"{path}/run/predict").who is who
    for path in ("//", "/.", "/annotate/../config", "/Config", "/gradio_api//upload", "", "*",
                 "/gradio_api/upload/", "/studio/", "/annotateX", "/assets/"):  # fmt: skip
        assert rule_for("GET", path) == CLOSED and rule_for("POST", path) == CLOSED
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"):
        assert rule_for(method, "/login") == CLOSED
