"""What the page may run and fetch, as a browser sees it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.ui.shell.app import TABS
from studio.ui.shell.page_assets import PageScripts
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_runs_or_fetches_what_the_policy_forbids(address, browser, scheme):
    context = browser.new_context(color_scheme=scheme)
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
    assert page.evaluate("typeof window.StudioWords") == "object"  # the page's own scripts ran
    for name, (title, _) in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        page.wait_for_selector(f"#tab-{name}", state="visible")
        page.wait_for_timeout(500)  # what a tab asks for when it is opened
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


def test_the_scripts_are_named_by_what_they_hold():
    one, two = PageScripts(), PageScripts()
    assert one.name == two.name and one.zipped == two.zipped
    # At the top of the first file it would hold for all that follow.
    assert not one.content.lstrip().startswith((b'"use strict"', b"'use strict'"))
