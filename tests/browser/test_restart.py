"""An open page whose studio was restarted, or lost: it works again, and nothing typed is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.api.access.accounts import Accounts, add_user, set_role
from studio.api.access.rules import Who, rule_for
from studio.api.context import close_context, open_context
from studio.data.schema import Answer, Message, Part, Row
from tests.browser.annotate_steps import Site, put_back, remembered
from tests.browser.test_team_page import choose, open_team
from tests.ui.serving import restartable

TABS = ("data", "team")
PASSWORD = "violet harbour nine"
PEOPLE = {"lea": "lead", "lou": "lead", "ana": "annotator"}
AGAIN = ".page-again"


@dataclass
class Restarted(Site):
    """A served studio that can be restarted."""

    restart: Callable[[], None]


@pytest.fixture(scope="module")
def with_accounts(tmp_path_factory):
    """A studio with two datasets, on whose pages a lead logs in; its database as it was then."""
    expect.set_options(timeout=30_000)
    folder = tmp_path_factory.mktemp("restart")
    for name, role in PEOPLE.items():
        add_user(folder / "accounts.yaml", name, role, PASSWORD)
    with two_datasets(folder, Accounts.load(folder / "accounts.yaml")) as studio:
        yield studio


@contextmanager
def two_datasets(folder: Path, accounts: Accounts | None) -> Iterator[tuple]:
    context = open_context(str(folder / "workspace"), accounts=accounts)
    for name in ("first", "second"):
        prompt = (Message("user", (Part("text", f"Of {name}?"),)),)
        answers = (Answer(f"{name} one", "a"), Answer(f"{name} two", "b"))
        rows = [Row(f"r{n}", (), prompt, candidates=answers) for n in range(2)]
        context.store.add_rows(name, rows)
    with restartable(context, TABS) as studio:
        site = Restarted(studio.address, context, studio.restart)
        with remembered(site) as copy:
            yield site, copy
    close_context(context)


@pytest.fixture
def site(with_accounts):
    """The studio with accounts, as it was at first."""
    site, copy = with_accounts
    put_back(site, copy)
    for name, role in PEOPLE.items():
        set_role(site.context.accounts.path, name, role)
    return site


@pytest.fixture
def without_accounts(tmp_path):
    with two_datasets(tmp_path, None) as (site, _):
        yield site


def enter(page, site: Restarted, name: str = "lea") -> None:
    """Log in where there are logins."""
    if site.context.accounts is None:
        return
    page.goto(f"{site.url}login")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector(".studio-header")


def known(page) -> None:
    """The page knows which start of the studio made it."""
    page.wait_for_function(
        """async () => {
          const main = document.querySelector("script[src*='studio/web/']").src;
          const { connection } = await import(new URL("shared/connection.js", main));
          return connection.start;
        }"""
    )


def guidelines(page):
    return page.get_by_label("Guidelines (Markdown)")


def open_project(page, site: Restarted) -> None:
    open_team(page, site)
    page.get_by_role("tab", name="Project").click()
    expect(page.locator("#team-filled textarea")).to_have_value(of("first"))


def of(dataset: str) -> re.Pattern[str]:
    """What the form of a dataset says of it."""
    return re.compile(rf'^\["{dataset}"')


@pytest.mark.parametrize("path", ["/gradio_api/app_id", "/annotate/gradio_api/app_id"])
def test_a_page_that_lost_the_studio_may_ask_whether_it_is_back(path):
    assert rule_for("GET", path).who in (Who.LEAD, Who.MEMBER)


def test_a_restart_loads_the_page_again_with_what_was_typed(site, page):
    a_restart_loads_the_page_again(site, page)


def test_a_restart_without_logins_does_too(without_accounts, page):
    a_restart_loads_the_page_again(without_accounts, page)


def a_restart_loads_the_page_again(site, page) -> None:
    enter(page, site)
    open_project(page, site)
    known(page)
    guidelines(page).fill("typed before the restart")
    page.get_by_label("Aspects").fill("kept, too")
    site.restart()
    expect(page.locator(AGAIN)).to_contain_text("The studio was restarted")
    page.get_by_role("tab", name="Project").click()
    expect(guidelines(page)).to_have_value("typed before the restart")
    expect(page.get_by_label("Aspects")).to_have_value("kept, too")
    page.click("#team-save")
    expect(page.locator("#team-project .notice")).to_contain_text("Saved")
    team = site.context.store.team
    assert team.guidelines("first").text == "typed before the restart"
    assert team.settings("first").aspects == ("kept", "too")


def test_what_was_typed_of_the_other_dataset_is_saved_for_no_other(site, page):
    enter(page, site)
    open_project(page, site)
    known(page)
    choose(page, "second")
    expect(page.locator("#team-filled textarea")).to_have_value(of("second"))
    guidelines(page).fill("of the second")
    site.restart()
    expect(page.locator(AGAIN)).to_contain_text("Guidelines")
    page.get_by_role("tab", name="Project").click()
    expect(guidelines(page)).to_have_value("of the second")
    page.click("#team-save")
    expect(page.locator("#team-project .notice")).to_contain_text("Saved")
    team = site.context.store.team
    assert (team.guidelines("first").text, team.guidelines("second").text) == ("", "of the second")


def test_what_was_typed_in_the_import_form_comes_back_when_it_is_opened(site, page):
    enter(page, site)
    page.goto(site.url)
    page.get_by_role("button", name="Import").first.click()
    page.fill("#data-source textarea, #data-source input", "/somewhere/pairs.jsonl")
    known(page)
    site.restart()
    expect(page.locator(AGAIN)).to_contain_text("Source")
    page.get_by_role("button", name="Import").first.click()
    field = page.locator("#data-source textarea, #data-source input")
    expect(field).to_have_value("/somewhere/pairs.jsonl")


def test_a_connection_that_comes_back_leaves_no_page_dead(site, page):
    enter(page, site)
    open_project(page, site)
    known(page)
    guidelines(page).fill("typed before it was lost")
    page.context.set_offline(True)
    page.click("#team-save")
    expect(page.locator("[data-testid=toast-body]")).to_contain_text("Connection")
    page.context.set_offline(False)
    expect(page.locator(AGAIN)).to_contain_text("The connection to the studio was lost")
    page.get_by_role("tab", name="Project").click()
    expect(guidelines(page)).to_have_value("typed before it was lost")
    page.click("#team-save")
    expect(page.locator("#team-project .notice")).to_contain_text("Saved")


def test_a_button_pressed_before_the_page_knows_changes_nothing_and_loads_it_again(site, page):
    enter(page, site)
    open_project(page, site)
    known(page)
    guidelines(page).fill("pressed too soon")
    page.route("**/studio/pulse", lambda route: route.abort())
    site.restart()
    with page.expect_response("**/gradio_api/queue/join**") as asked:
        page.click("#team-save")
    assert asked.value.status == 409
    assert site.context.store.team.guidelines("first").text == ""
    page.unroute("**/studio/pulse")
    expect(page.locator(AGAIN)).to_contain_text("The studio was restarted")
    page.get_by_role("tab", name="Project").click()
    expect(guidelines(page)).to_have_value("pressed too soon")


def test_a_page_without_anything_typed_is_loaded_again_too(site, page):
    enter(page, site)
    page.goto(site.url)
    known(page)
    site.restart()
    expect(page.locator(AGAIN)).to_have_text(
        "The studio was restarted, and this page was loaded again. Close"
    )
    page.get_by_role("tab", name="Team").click()
    expect(page.locator("#team-figures")).not_to_contain_text("Working out")


def test_the_annotators_page_goes_on_over_a_restart(site, page):
    enter(page, site, "ana")
    page.wait_for_selector(".an-work[data-seen]")
    loads = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    with page.expect_response("**/studio/pulse"):
        site.restart()
    with page.expect_response("**/studio/pulse"):
        pass
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('.an-status').innerText.includes('aved')")
    assert loads == []
    assert site.context.store.progress("ana").labelled == 1


def test_a_lead_who_is_one_no_more_is_led_to_the_annotators_page(site, page):
    enter(page, site)
    known(page)
    expect(page.locator("#dataset-list [data-dataset='first']")).to_be_visible()
    page.wait_for_load_state("networkidle")  # what is asked for on opening is a lead's still
    set_role(site.context.accounts.path, "lea", "annotator")
    dialog = page.locator("dialog.studio-dialog")
    expect(dialog).to_contain_text("You are an annotator now")
    dialog.get_by_role("button").click()
    page.wait_for_url("**/annotate/")
    page.wait_for_selector(".an-work[data-seen]")


def test_a_lead_whose_session_ended_is_told_and_keeps_what_was_typed(site, page):
    enter(page, site)
    open_project(page, site)
    known(page)
    guidelines(page).fill("typed before the end")
    site.context.accounts.sessions.end_all("lea")
    dialog = page.locator("dialog.studio-dialog")
    expect(dialog).to_contain_text("You are logged out")
    dialog.get_by_role("button").click()
    page.fill("[name=name]", "lea")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    expect(page.locator(AGAIN)).to_contain_text("You were logged out")
    page.get_by_role("tab", name="Team").click()
    page.get_by_role("tab", name="Project").click()
    expect(guidelines(page)).to_have_value("typed before the end")
