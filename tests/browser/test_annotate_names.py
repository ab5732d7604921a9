"""Answers wait for whoever gave them, in a real browser: logins change, the server dies."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from studio.api.access.accounts import Accounts, add_user, remove_user
from studio.api.context import close_context, open_context
from tests.browser.annotate_steps import Site, add_pairs, press, put_back, remembered, saved, seen
from tests.places import ROOT
from tests.ui.serving import served

PASSWORD = "correct horse battery"
PEOPLE = (("lea", "lead"), ("ana", "annotator"), ("ben", "annotator"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A studio with a lead, lea, and two annotators, ana and ben; its database while empty."""
    folder = tmp_path_factory.mktemp("names")
    for name, role in PEOPLE:
        add_user(folder / "accounts.yaml", name, role, PASSWORD)
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    with served(context, ("annotate",)) as address:
        site = Site(address, context)
        with remembered(site) as empty:
            yield site, empty
    close_context(context)


@pytest.fixture
def shared(people):
    site, empty = people
    put_back(site, empty)
    return site


def log_in(page, site: Site, name: str) -> None:
    page.goto(f"{site.url}login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button")
    page.wait_for_url(lambda url: "login" not in url)


def gave(site: Site, name: str) -> list[str]:
    return [entry.kind for entry in site.context.store.history(name)]


def kept(page) -> list[str]:
    names = page.evaluate("Object.keys(localStorage).filter(n => n.startsWith('studio-outbox/'))")
    return sorted(name.split("/")[1] for name in names)


def test_answers_wait_for_their_giver_while_another_is_logged_in(shared, window):
    add_pairs(shared, 8)
    page = window.new_page()
    log_in(page, shared, "ana")
    page.wait_for_selector(".studio-header .who:has-text('ana')")
    seen(page)
    page.route("**/annotate/save", lambda route: route.abort())
    press(page, "1")
    press(page, "t")
    page.wait_for_selector(".an-status:has-text('2 answers kept in this browser')")

    other = window.new_page()
    log_in(other, shared, "ben")
    other.wait_for_selector(".studio-header .who:has-text('ben')")
    seen(other)
    press(other, "g")
    saved(other)
    page.unroute("**/annotate/save")
    page.bring_to_front()
    dialog = page.locator(".studio-dialog")
    dialog.wait_for()
    assert "ben is logged in now" in dialog.inner_text()
    assert "2 answers of ana not saved yet" in dialog.inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert dialog.is_visible() and kept(page) == ["ana", "ana"]
    assert (gave(shared, "ana"), gave(shared, "ben")) == ([], ["both_good"])
    dialog.get_by_role("button", name="Go on as ben").click()
    page.wait_for_selector(".studio-header .who:has-text('ben')")
    seen(page)
    press(page, "g")
    saved(page)
    assert kept(page) == ["ana", "ana"]
    assert (gave(shared, "ana"), gave(shared, "ben")) == ([], ["both_good", "both_good"])

    log_in(other, shared, "ana")
    saved(other)
    assert sorted(gave(shared, "ana")) == ["choose", "tie"]
    assert kept(other) == []
    page.bring_to_front()
    page.locator(".studio-dialog:has-text('ana is logged in now')").wait_for()


def test_a_page_goes_on_by_itself_when_its_user_is_back(shared, window):
    add_pairs(shared, 4)
    page, other = window.new_page(), window.new_page()
    log_in(page, shared, "ana")
    seen(page)
    log_in(other, shared, "ben")
    page.bring_to_front()
    page.locator(".studio-dialog:has-text('ben is logged in now')").wait_for()
    log_in(other, shared, "ana")
    page.bring_to_front()
    page.locator(".studio-dialog").wait_for(state="detached")
    press(page, "1")
    saved(page)
    assert gave(shared, "ana") == ["choose"]


def test_what_an_older_version_kept_is_sent_for_the_user_in_its_name(shared, window):
    add_pairs(shared, 4)
    page = window.new_page()
    log_in(page, shared, "ana")
    seen(page)
    held = []
    page.route("**/annotate/save", lambda route: held.append(route))
    press(page, "t")
    page.wait_for_function(
        "Object.keys(localStorage).some(name => name.startsWith('studio-outbox/ana/'))"
    )
    name, entry = page.evaluate(
        "Object.entries(localStorage).find(([name]) => name.startsWith('studio-outbox/ana/'))"
    )
    old = json.loads(entry)
    del old["user"]
    torn = f"studio-outbox/ana/{'9' * 15}-torn"
    page.goto("about:blank")
    page.goto(f"{shared.url}login")
    page.evaluate(
        "([name, old, torn]) => { localStorage[name] = old; localStorage[torn] = '{'; }",
        [name, json.dumps(old), torn],
    )
    log_in(page, shared, "ben")
    seen(page)
    press(page, "g")
    assert gave(shared, "ana") == []
    page.unroute("**/annotate/save")
    saved(page)
    log_in(page, shared, "ana")
    saved(page)
    assert (gave(shared, "ana"), gave(shared, "ben")) == (["tie"], ["both_good"])


def test_an_account_made_again_sends_nothing_of_the_one_before(shared, window):
    add_pairs(shared, 4)
    page = window.new_page()
    log_in(page, shared, "ana")
    seen(page)
    page.route("**/annotate/save", lambda route: route.abort())
    press(page, "1")
    page.keyboard.press("c")
    page.keyboard.type("of the ana before")
    page.wait_for_selector(".an-status:has-text('1 answer kept in this browser')")
    file = shared.context.accounts.path
    remove_user(file, "ana")
    add_user(file, "ana", "annotator", PASSWORD)
    page.goto("about:blank")
    page.unroute("**/annotate/save")
    log_in(page, shared, "ana")
    seen(page)
    notice = (
        ".an-notice:has-text('1 answer in this browser came from an earlier account called ana')"
    )
    page.wait_for_selector(notice)
    for _ in range(2):
        seen(page)
        page.keyboard.press("c")
        assert page.input_value(".an-editor textarea") == ""
        page.keyboard.press("Escape")
        press(page, "g")
    saved(page)
    assert gave(shared, "ana") == ["both_good", "both_good"]
    assert kept(page) == ["ana"]
    page.reload()
    page.wait_for_selector(notice)
    page.click("[data-act=drop-earlier]")
    page.wait_for_function("!Object.keys(localStorage).some(n => n.startsWith('studio-outbox/'))")


def test_logging_out_with_answers_that_are_not_saved_warns_and_can_be_stayed(shared, window):
    add_pairs(shared, 4)
    page = window.new_page()
    log_in(page, shared, "ana")
    seen(page)
    page.route("**/annotate/save", lambda route: route.abort())
    press(page, "1")
    page.wait_for_selector(".an-status:has-text('1 answer kept in this browser')")
    leave = page.get_by_text("Log out", exact=True)
    leave.click()
    dialog = page.locator(".studio-dialog")
    dialog.wait_for()
    assert "1 answer not saved yet" in dialog.inner_text()
    assert "when ana logs in here again" in dialog.inner_text()
    dialog.get_by_role("button", name="Stay").click()
    press(page, "t")
    leave.click()
    page.get_by_role("button", name="Log out all the same").click()
    page.wait_for_selector("input[name=password]")
    assert kept(page) == ["ana", "ana"]
    page.unroute("**/annotate/save")
    log_in(page, shared, "ana")
    saved(page)
    assert sorted(gave(shared, "ana")) == ["choose", "tie"]
    page.get_by_text("Log out", exact=True).click()  # nothing waits: no question
    page.wait_for_selector("input[name=password]")


def start(python: str, folder: Path, port: int) -> subprocess.Popen:
    """A studio in a process of its own, ready to answer."""
    process = subprocess.Popen(
        [python, "app.py", "--port", str(port), "--no-browser", "--workspace",
         str(folder / "workspace"), "--auth", str(folder / "accounts.yaml")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "http://" in process.stdout.readline()
    return process


@pytest.mark.usefixtures("usual_passwords")
def test_a_killed_server_and_a_change_of_login_give_nobody_another_s_answers(
    tmp_path, window, python
):
    for name, role in PEOPLE:
        add_user(tmp_path / "accounts.yaml", name, role, PASSWORD)
    context = open_context(str(tmp_path / "workspace"))
    site = Site("", context)
    add_pairs(site, 6)
    close_context(context)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site.url = f"http://127.0.0.1:{port}/"
    process = start(python, tmp_path, port)
    try:
        page = window.new_page()
        page.set_default_timeout(60_000)
        log_in(page, site, "ana")
        seen(page)
        process.kill()
        process.wait()
        press(page, "1")
        press(page, "t")
        page.wait_for_selector(".an-status:has-text('2 answers kept in this browser')")
        process = start(python, tmp_path, port)
        window.clear_cookies()  # the session ended; ben logs in on the page that opens
        log_in(page, site, "ben")
        seen(page)
        press(page, "g")
        saved(page)
        assert kept(page) == ["ana", "ana"]
        log_in(page, site, "ana")
        saved(page)
        page.wait_for_function(
            "!Object.keys(localStorage).some(name => name.startsWith('studio-outbox/'))"
        )
    finally:
        process.kill()
        process.wait()
    context = open_context(str(tmp_path / "workspace"))
    site.context = context
    assert sorted(gave(site, "ana")) == ["choose", "tie"]
    assert gave(site, "ben") == ["both_good"]
    close_context(context)
