"""In a real browser: thirty pairs by keyboard alone; two annotators and a lead at once."""

from __future__ import annotations

import pytest

from studio.annotation import LabelEvent
from studio.annotation.quality import gold
from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from tests.browser.annotate_steps import (
    Site,
    add_pairs,
    press,
    put_back,
    remembered,
    saved,
    seen,
    visit,
)
from tests.browser.conftest import WINDOW
from tests.ui.serving import served

PASSWORD = "correct horse battery"


def write_what_would_be_right(page):
    seen(page)
    page.keyboard.press("b")
    page.wait_for_selector(".an-editor:not([hidden])")
    page.keyboard.type("It is 8, in teal.")
    press(page, "Enter")


def edit_the_better_one(page):
    seen(page)
    page.keyboard.press("e")
    page.keyboard.press("1")
    page.wait_for_selector(".an-editor:not([hidden])")
    page.keyboard.press("Control+A")
    page.keyboard.type("Nine, exactly.")
    press(page, "Enter")


def mark_flag_comment_and_undo(page):
    seen(page)
    page.keyboard.press("m")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("m")
    page.wait_for_selector(".an-answer[data-side=left] mark")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("Two legends.")
    page.keyboard.press("Enter")
    press(page, "2")
    press(page, "z")
    page.wait_for_selector("[data-act=flag][aria-pressed=false]")


def answer_without_a_network(page):
    """Until there is nothing left to show; then all of it is saved."""
    page.context.set_offline(True)
    for _ in range(4):
        press(page, "1") if page.is_visible(".an-work") else page.wait_for_timeout(50)
        if page.is_hidden(".an-work"):
            break
    page.wait_for_selector(".an-status[data-state=problem]")
    page.context.set_offline(False)
    saved(page)


def write_half_an_ideal_and_come_back(page, site):
    page.wait_for_selector(".an-work:not([hidden])")
    page.keyboard.press("n")
    page.keyboard.type("Half an ideal")
    page.goto("about:blank")
    visit(page, site)
    page.wait_for_selector(".an-work:not([hidden])")
    page.keyboard.press("n")
    assert page.input_value(".an-editor textarea") == "Half an ideal"
    page.keyboard.press("Enter")


def answer_until(page, words):
    done = page.locator(f".an-empty:has-text('{words}')")
    while not done.is_visible():
        page.locator(".an-work").or_(done).filter(visible=True).first.wait_for()
        if page.is_visible(".an-work"):
            press(page, "1")
    saved(page)


def test_thirty_pairs_by_keyboard_alone(site, page, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda *_: False)
    add_pairs(site, 30)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    for key in ("1", "Shift+Digit1", "q", "2", "Shift+Digit2", "w", "t", "g"):
        press(page, key)
    write_what_would_be_right(page)
    edit_the_better_one(page)
    mark_flag_comment_and_undo(page)
    press(page, "t")
    answer_without_a_network(page)
    write_half_an_ideal_and_come_back(page, site)
    answer_until(page, "All 30 pairs done")

    assert site.context.store.progress("local").labelled == 30
    assert page.errors == []
    chosen = {row.chosen.text for row in site.context.store.preferences("charts")}
    assert {"It is 8, in teal.", "Nine, exactly.", "Half an ideal"} <= chosen


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A studio with two leads, lea and leo, and two annotators; its database while empty."""
    folder = tmp_path_factory.mktemp("team")
    roles = {"lea": "lead", "leo": "lead", "ana": "annotator", "ben": "annotator"}
    for name, role in roles.items():
        add_user(folder / "accounts.yaml", name, role, PASSWORD)
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    with served(context, ("team",)) as address:
        site = Site(address, context)
        with remembered(site) as empty:
            yield site, empty
    close_context(context)


@pytest.fixture
def shared(people):
    site, empty = people
    put_back(site, empty)
    return site


def log_in(browser, site: Site, name: str):
    opened = browser.new_context(viewport=WINDOW).new_page()
    opened.goto(f"{site.url}login")
    opened.fill("input[name=name]", name)
    opened.fill("input[name=password]", PASSWORD)
    opened.click("button")
    return opened


def press_seen(page, key: str) -> None:
    """Press a key once the pair to decide may be judged."""
    page.wait_for_selector(".tm-case .an-work[data-seen]")
    page.keyboard.press(key)


def test_two_leads_have_one_case_open_and_neither_decides_over_the_other_unawares(shared, browser):
    add_pairs(shared, 2)
    store = shared.context.store
    store.team.change_settings("lea", "charts", {"overlap": 2, "repeat_share": 0})
    for who in ("ana", "ben"):
        while card := store.claim(who, "charts"):
            winner = sorted((card.left.candidate_id, card.right.candidate_id))[who == "ben"]
            store.save(LabelEvent(f"key-{who}-{card.pair_id}", card.pair_id, who, "choose", winner))
    lea, leo = log_in(browser, shared, "lea"), log_in(browser, shared, "leo")
    for lead in (lea, leo):
        lead.get_by_role("tab", name="Team").click()
        lead.get_by_role("tab", name="Decide").click()
        lead.wait_for_selector(".tm-root:has-text('Pair 1: no majority · 2 pairs to decide')")
    press_seen(lea, "t")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: no majority')")
    leo.fill(".tm-case input", "the axis")
    leo.keyboard.press("Enter")
    press_seen(leo, "b")
    leo.wait_for_selector(".tm-told:has-text('lea decided this pair meanwhile')")
    leo.wait_for_selector(".tm-root:has-text('Pair 1: decided by lea: Tie')")
    assert leo.input_value(".tm-case input") == "the axis"
    assert store.team.case(1, "leo").decided == ("tie", None)
    press_seen(leo, "b")
    leo.wait_for_selector(".tm-root:has-text('Pair 2: no majority')")
    assert leo.is_hidden(".tm-told")
    assert store.team.case(1, "leo").decided == ("both_bad", None)
    for one in (lea, leo):
        one.context.close()


def test_two_annotators_disagree_and_the_lead_decides_by_keyboard(shared, browser):
    add_pairs(shared, 2)
    store = shared.context.store
    store.team.change_settings("lea", "charts", {"overlap": 2, "repeat_share": 0})
    ana, ben = log_in(browser, shared, "ana"), log_in(browser, shared, "ben")
    for annotator in (ana, ben):
        annotator.wait_for_selector(".an-text:not(:empty)")
        assert annotator.get_by_role("tab", name="Team").count() == 0
    for _ in range(2):
        for annotator, wish in ((ana, "good"), (ben, "bad")):
            left = annotator.inner_text(".an-answer[data-side=left] .an-text")
            press(annotator, "1" if left.startswith(wish) else "2")
    for annotator in (ana, ben):
        annotator.wait_for_selector(".an-empty:has-text('All 2 pairs done')")

    lea = log_in(browser, shared, "lea")
    lea.get_by_role("tab", name="Team").click()
    lea.wait_for_selector(
        ".tm-figure:has-text('Percent agreement'):has-text('0 %')", timeout=60_000
    )
    lea.get_by_role("tab", name="Decide").click()
    lea.wait_for_selector(".tm-case .tm-votes td:has-text('ben')")
    assert "no majority · 2 pairs to decide" in lea.inner_text(".tm-root")
    for left in ("1 pair to decide", "Nothing to decide"):
        lea.wait_for_selector(".tm-case .an-work[data-seen]")
        lea.keyboard.press("1")
        lea.wait_for_selector(f".tm-root:has-text('{left}')")
    assert len(store.preferences("charts")) == 2
    lea.keyboard.press("ArrowLeft")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: decided: A')")
    lea.route("**/team/decide", lambda route: (lea.wait_for_timeout(300), route.continue_()))
    press_seen(lea, "t")
    for late in ("2", "o", "ArrowLeft"):  # the first two would fall on a pair that goes
        lea.keyboard.press(late)
    lea.wait_for_selector(".tm-root .an-early:has-text('Not counted')")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: decided: Tie')")
    assert len(store.preferences("charts")) == 1
    lea.unroute("**/team/decide")
    press_seen(lea, "1")
    lea.wait_for_selector(".tm-root:has-text('Nothing to decide')")
    lea.keyboard.press("ArrowLeft")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: decided: A')")
    press_seen(lea, "o")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: decided: A · gold')")
    press_seen(lea, "o")
    lea.wait_for_selector(".tm-root:has-text('decided: A · 0 pairs to decide')")
    press_seen(lea, "x")
    lea.wait_for_selector(".tm-root:has-text('Pair 2: no majority · 1 pair to decide')")
    assert len(store.preferences("charts")) == 1
    press_seen(lea, "2")
    lea.wait_for_selector(".tm-root:has-text('Nothing to decide')")
    lea.get_by_role("tab", name="Project").click()
    lea.get_by_label("Guidelines (Markdown)").fill("# Look twice")
    lea.click("#team-save")
    lea.wait_for_selector("#tab-team :text('Saved. New answers are given under it')")
    assert store.team.guidelines("charts").text == "# Look twice"
    assert {line.who for line in store.team.log()} == {"ana", "ben", "lea"}
    for one in (ana, ben, lea):
        one.context.close()
