"""What the page may run and fetch, as a browser sees it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.ui.shell.app import TABS, build_app
from studio.ui.shell.page_assets import PageModules, style_sheets
from tests.ui.serving import launched, served

SECONDS = 60_000
VIOLATION = ("Content Security Policy", "Refused to", "violates")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    add_user(folder / "accounts.yaml", "lea", "lead", "password of lea")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    with served(context) as found:
        yield found
    close_context(context)


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as found:
        yield found


def test_no_tab_runs_or_fetches_what_the_policy_forbids(address, browser):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    said, foreign = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(f"violates: {error}"))
    own = urlsplit(address).netloc

    def note(request) -> None:
        place = urlsplit(request.url)
        if place.scheme in ("http", "https") and place.netloc != own:
            foreign.append(request.url)

    page.on("request", note)
    page.goto(f"{address}login")
    page.fill("[name=name]", "lea")
    page.fill("[name=password]", "password of lea")
    page.click("button")
    page.wait_for_selector(".studio-header")
    assert page.evaluate("typeof window.studio.attach") == "function"  # the page's own ran
    for name, (title, _) in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        page.wait_for_selector(f"#tab-{name}", state="visible")
        page.wait_for_timeout(500)  # what a tab asks for when it is opened
    page.emulate_media(color_scheme="light")
    page.reload()
    page.wait_for_selector(".studio-header")
    for path in ("accounts", "account"):
        page.goto(address + path)
        page.wait_for_selector("h1")
    context.close()
    assert [line for line in said if any(word in line for word in VIOLATION)] == []
    assert foreign == []


def test_a_script_that_comes_with_a_text_is_not_run(address, browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(f"{address}login")
    page.fill("[name=name]", "lea")
    page.fill("[name=password]", "password of lea")
    page.click("button")
    page.wait_for_selector(".studio-header")
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        """() => {
          const here = document.createElement("div");
          here.innerHTML = '<img src="nothing" onerror="window.ran = 1">';
          const script = document.createElement("script");
          script.textContent = "window.ran = 2";
          here.append(script);
          document.body.append(here);
          return new Promise((resolve) => setTimeout(resolve, 500));
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in refused)
    context.close()


def test_another_site_s_page_cannot_frame_or_post(address, browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    foreign = address.replace("127.0.0.1", "localhost")  # another site to the browser
    page.route(
        f"{foreign}evil",
        lambda route: route.fulfill(
            body=f'<iframe src="{address}login"></iframe>'
            f'<form method="post" action="{address}login"><input name="name"></form>',
            content_type="text/html",
        ),
    )
    page.goto(f"{foreign}evil")
    assert "VLM Studio" not in page.frames[1].content()
    page.evaluate("document.querySelector('form').submit()")
    page.wait_for_url(f"{address}login")
    assert "Another site" in page.content()
    context.close()


def test_the_folder_is_named_by_all_that_it_holds(tmp_path):
    (tmp_path / "main.js").write_text('import "./train/form.js";')
    (tmp_path / "train").mkdir()
    form = tmp_path / "train" / "form.js"
    form.write_text("export const one = 1;")
    before = PageModules(tmp_path)
    assert set(before.files) == {"main.js", "train/form.js"}
    assert PageModules(tmp_path).folder == before.folder
    form.write_text("export const one = 2;")
    changed = PageModules(tmp_path)
    form.rename(tmp_path / "train" / "rows.js")
    assert len({one.folder for one in (before, changed, PageModules(tmp_path))}) == 3


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The application with logins, and what it serves of modules."""
    folder = tmp_path_factory.mktemp("modules")
    file = folder / "accounts.yaml"
    add_user(file, "lea", "lead", "password of lea")
    add_user(file, "ana", "annotator", "password of ana")
    context = open_context(str(folder / "workspace"), Accounts.load(file))
    yield build_app(context)
    close_context(context)


def logged_in(app, name: str) -> TestClient:
    client = TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)
    client.post("/login", data={"name": name, "password": f"password of {name}"})
    return client


@pytest.mark.parametrize(("name", "page"), [("lea", "/"), ("ana", "/annotate/")])
def test_a_page_names_every_module_before_gradio_s_own_script(app, name, page):
    client, modules = logged_in(app, name), PageModules()
    reply = client.get(page)
    preloaded = re.findall(r'<link rel="modulepreload" href="(studio/web/[^"]+)">', reply.text)
    assert preloaded == [f"studio/{modules.folder}/{name}" for name in modules.files]
    scripts = re.findall(r'<script nonce="([\w-]+)" type="module"[^>]* src="([^"]+)"', reply.text)
    assert scripts[0][1] == f"studio/{modules.folder}/main.js"
    assert len(scripts) == 2 and "assets/index" in scripts[1][1]
    allowed = reply.headers["content-security-policy"]
    assert f"script-src 'self' 'nonce-{scripts[0][0]}' 'unsafe-eval'" in allowed
    for address in preloaded:
        served = client.get(f"{page}{address}")
        assert served.status_code == 200
        assert served.headers["content-type"].startswith("text/javascript")
        assert "immutable" in served.headers["cache-control"]
        assert served.headers["content-encoding"] == "gzip"
        assert served.content == modules.files[address.split("/", 3)[3]].content


def test_modules_are_sent_as_they_are_to_who_takes_no_gzip(app):
    modules = PageModules()
    address = f"/studio/{modules.folder}/main.js"
    reply = logged_in(app, "ana").get(address, headers={"accept-encoding": "identity"})
    assert reply.content == modules.files["main.js"].content
    assert "content-encoding" not in reply.headers and reply.headers["vary"] == "Accept-Encoding"


def test_nothing_else_is_served_beside_the_modules(app):
    client, folder = logged_in(app, "lea"), f"/studio/{PageModules().folder}"
    others = ("nothing.js", "shared/base.css", "../paths.js", "..%2f..%2fmain.js", "%2e%2e/main.js")
    for name in others:
        assert client.get(f"{folder}/{name}").status_code in (403, 404)
    assert client.get("/studio/web/0123456789abcdef/main.js").status_code == 404
    assert client.post(f"{folder}/main.js").status_code in (403, 404, 405)


def test_modules_are_for_who_is_logged_in(app):
    stranger = TestClient(app, base_url="http://127.0.0.1:7860", follow_redirects=False)
    for start in ("", "/annotate"):
        assert stranger.get(f"{start}/studio/{PageModules().folder}/main.js").status_code == 401


def test_style_sheets_that_features_share_come_first():
    names = [f"{path.parent.name}/{path.name}" for path in style_sheets()]
    assert names[:2] == ["shared/base.css", "shared/controls.css"]
    assert {"annotate", "chat", "library", "runs", "train"} <= {
        name.split("/")[0] for name in names
    }
