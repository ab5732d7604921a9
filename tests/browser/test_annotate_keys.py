"""Keys in a hurry, in a real browser: text that somebody types is never an answer."""

from __future__ import annotations

import pytest

from tests.browser.annotate_steps import (
    add_pairs,
    press,
    saved,
    seen,
    visit,
)


def hold_images(page) -> None:
    held = []
    page.route("**/studio/images/*", lambda route: held.append(route))


def let_go(page) -> None:
    page.unroute("**/studio/images/*")  # lets through what was held


def shows(page, question: str) -> None:
    page.wait_for_selector(f".an-question:has-text('{question}')")


def test_text_after_a_swallowed_key_is_no_answer_once_the_picture_is_there(site, page):
    add_pairs(site, 4)
    hold_images(page)
    visit(page, site)
    shows(page, "Question 0?")
    page.keyboard.press("t")
    page.wait_for_selector(".an-early:has-text('Not counted')")
    let_go(page)
    page.wait_for_function("document.querySelector('.an-stage img').complete")
    page.keyboard.type("he bigger bus stands left", delay=60)
    page.wait_for_selector(".an-early:has-text('letters count again after a short pause')")
    assert page.inner_text(".an-question") == "Question 0?"
    assert page.is_hidden(".an-editor") and page.is_hidden(".an-skip")
    assert site.labels() == []
    press(page, "1")  # waits for the pause
    saved(page)
    assert [kind for _, kind, _ in site.labels()] == ["choose"]
    assert page.errors == []


def test_editors_open_before_the_picture_and_take_the_text_but_decide_nothing(site, page):
    add_pairs(site, 4)
    for key, panel in (("b", ".an-editor textarea"), ("c", ".an-editor textarea")):
        hold_images(page)
        page.goto("about:blank")
        visit(page, site)
        shows(page, "Question 0?")
        page.keyboard.type(f"{key}It is 8, in teal", delay=20)
        assert page.input_value(panel) == "It is 8, in teal"
        if key == "b":
            page.keyboard.press("Enter")
            page.wait_for_selector(".an-early:has-text('Not counted')")
            assert page.input_value(panel) == "It is 8, in teal"
        let_go(page)
    page.keyboard.press("Escape")
    hold_images(page)
    page.goto("about:blank")
    visit(page, site)
    shows(page, "Question 0?")
    page.keyboard.type("s1")
    page.wait_for_selector(".an-skip:not([hidden])")
    page.wait_for_selector(".an-early:has-text('Not counted')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".an-early:empty", state="attached")  # and so has the pause passed
    page.keyboard.type("e2")
    page.wait_for_selector(".an-editor:has-text('Improve this answer (B)')")
    assert site.labels() == []
    let_go(page)


def test_text_typed_on_after_an_answer_decides_nothing(site, page):
    """The next pair's picture is there at once; its letters are still those of a text."""
    add_pairs(site, 12)
    visit(page, site)
    for answered, delay in enumerate((40, 120, 180, 240)):
        seen(page)
        page.wait_for_selector(".an-early:empty", state="attached")  # a text's pause has passed
        page.keyboard.type("1 the bar is 12 high", delay=delay)
        page.wait_for_selector(".an-early:has-text('Not counted')")
        saved(page)
        assert len(site.labels()) == answered + 1, delay


def test_text_that_goes_on_after_an_enter_is_no_answer(site, page):
    add_pairs(site, 4)
    visit(page, site)
    seen(page)
    page.keyboard.type("c", delay=10)
    page.keyboard.type("Two legends", delay=20)
    page.keyboard.press("Enter")
    page.keyboard.type("that stand above the graph", delay=40)
    assert page.inner_text(".an-question") == "Question 0?"
    seen(page)
    page.keyboard.press("b")
    page.keyboard.type("It is 8")
    page.keyboard.press("Enter")
    shows(page, "Question 1?")
    page.keyboard.type("but the ground is grey", delay=40)
    assert page.inner_text(".an-question") == "Question 1?"
    saved(page)
    assert [kind for _, kind, _ in site.labels()] == ["both_bad"]
    assert site.context.store.card(1, "local").current.comment == "Two legends"


def test_control_and_enter_saves_in_every_editor(site, page):
    add_pairs(site, 4)
    visit(page, site)
    seen(page)
    page.keyboard.press("n")
    page.keyboard.type("Eight")
    page.keyboard.press("Control+Enter")
    assert page.is_hidden(".an-editor")
    for key, typed in (("b", "Nine"), ("s", "no legend")):
        seen(page)
        before = page.inner_text(".an-question")
        page.keyboard.press(key)
        if key == "s":
            page.focus(".an-skip input")
        page.keyboard.type(typed)
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "before => document.querySelector('.an-question').innerText !== before", arg=before
        )
    saved(page)
    assert [(kind, reason) for _, kind, reason in site.labels()] == [
        ("both_bad", ""), ("skip", "no legend"),
    ]  # fmt: skip


def test_closing_a_panel_gives_the_focus_back_and_a_new_pair_is_announced(site, page):
    add_pairs(site, 4)
    visit(page, site)
    seen(page)
    assert page.inner_text(".an-news[aria-live=polite]") == "Next pair: Question 0?"
    focused = "document.activeElement.dataset.act ?? document.activeElement.className"
    page.focus("[data-act=skip]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".an-skip:not([hidden])")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "skip"
    page.keyboard.press("Enter")
    page.wait_for_selector(".an-skip:not([hidden])")
    page.keyboard.press("1")
    shows(page, "Question 1?")
    assert page.evaluate(focused) == "skip"
    assert page.inner_text(".an-news") == "Next pair: Question 1?"
    page.evaluate("document.activeElement.blur()")
    seen(page)
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    assert "an-work" in page.evaluate(focused)
    press(page, "1")
    assert page.inner_text(".an-news") == "Next pair: Question 2?"


def comment(page, text: str, leave: str = "Enter") -> None:
    seen(page)
    page.keyboard.press("c")
    page.wait_for_selector(".an-editor:not([hidden])")
    page.keyboard.type(text)
    page.keyboard.press(leave)


FLAGGED = "[data-act=flag][aria-pressed=true]"


EARLY = ".an-early:has-text('F: one moment')"


@pytest.mark.parametrize("delay", [0, 100])
def test_a_single_key_right_after_a_text_counts_in_a_moment(site, page, delay):
    add_pairs(site, 3)
    visit(page, site)
    comment(page, "Two legends")
    page.wait_for_timeout(delay)
    page.keyboard.press("f")
    page.wait_for_selector(f"{EARLY}, {FLAGGED}")  # a slow machine presses after the pause
    if page.locator(EARLY).is_visible():
        page.keyboard.press("f")  # by somebody who saw nothing happen
    page.wait_for_selector(FLAGGED)
    seen(page)
    page.wait_for_selector(FLAGGED)
    page.keyboard.press("1")
    shows(page, "Question 1?")
    saved(page)
    current = site.context.store.card(1, "local").current
    assert (current.flagged, current.comment) == (True, "Two legends")
    comment(page, "None", "Control+Enter")
    page.keyboard.press("f")
    page.wait_for_selector(f"{EARLY}, {FLAGGED}")
    assert not page.locator(
        EARLY
    ).is_visible()  # Ctrl+Enter ends a text for good: no pause is needed
    assert page.errors == []


def test_a_letter_that_waits_never_counts_for_another_pair(site, page):
    add_pairs(site, 3)
    visit(page, site)
    comment(page, "Two legends")
    page.keyboard.press("2")
    page.click(".an-answer[data-side=left] .choose")
    shows(page, "Question 1?")
    page.wait_for_selector(".an-early:has-text('Not counted')")
    page.wait_for_timeout(1000)
    saved(page)
    assert page.inner_text(".an-question") == "Question 1?"
    assert len(site.labels()) == 1


def said(page, key: str) -> str:
    """What is said of a key, at once."""
    page.evaluate("document.querySelector('.an-early').textContent = ''")
    page.keyboard.press(key)
    return page.inner_text(".an-early")


def test_every_key_without_a_pair_says_that_it_does_not_count(site, page):
    add_pairs(site, 1)
    visit(page, site)
    press(page, "t")
    saved(page)
    page.wait_for_selector(".an-empty:has-text('All 1 pair done')")
    for key in (
        "1",
        "2",
        "q",
        "w",
        "Shift+1",
        "t",
        "g",
        "b",
        "u",
        "s",
        "e",
        "n",
        "m",
        "c",
        "f",
        "4",
    ):
        assert said(page, key).startswith("Not counted"), key
    page.wait_for_timeout(800)
    assert said(page, "c") == "Not counted: there is no pair on show"
    assert "nothing further on" in said(page, "ArrowRight")


def test_a_key_that_an_open_panel_keeps_says_so(site, page):
    add_pairs(site, 2)
    visit(page, site)
    seen(page)
    page.keyboard.press("s")
    page.wait_for_selector(".an-skip:not([hidden])")
    assert "list of reasons is open" in said(page, "t")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    assert "Esc ends marking" in said(page, "t")
    page.keyboard.press("Escape")
    seen(page)
    assert "nothing is judged with 5" in said(page, "5")
    seen(page)
    assert site.labels() == [] and page.inner_text(".an-question") == "Question 0?"


def test_a_dataset_chosen_with_the_mouse_leaves_the_keys_to_the_pair(site, page):
    add_pairs(site, 2)
    visit(page, site)
    seen(page)
    page.focus(".an-select")
    page.dispatch_event(".an-select", "pointerdown")
    page.select_option(".an-select", "charts")
    assert page.evaluate("document.activeElement.tagName") != "SELECT"
    press(page, "1")
    saved(page)
    assert len(site.labels()) == 1
