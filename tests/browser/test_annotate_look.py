"""Looking at a pair in a real browser: the images, the differences, the keys; by touch too."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from studio.annotation import LabelEvent
from studio.annotation.quality import gold
from studio.data.schema import Answer, Message, Part, Row
from tests.browser.annotate_steps import (
    add_pairs,
    press,
    saved,
    seen,
    visit,
)
from tests.browser.conftest import emptied

PHONE = {"width": 390, "height": 844}
# Whether the browser would ask before it closes the tab.
LEAVING = """() => {
  const event = new Event("beforeunload", { cancelable: true });
  dispatchEvent(event);
  return event.defaultPrevented;
}"""


def boxes(page) -> list[dict]:
    """Where the images are in the window."""
    return [one.bounding_box() for one in page.locator(".an-stage img").all()]


def zoom(page) -> str:
    return page.inner_text(".an-zoom")


def test_images_side_by_side_are_zoomed_moved_turned_and_shown_alone(site, page):
    add_pairs(site, 2, images=2)
    visit(page, site)
    seen(page)
    left, right = boxes(page)
    assert left["x"] + left["width"] <= right["x"] and left["y"] == right["y"]

    page.keyboard.press("+")
    page.keyboard.press("=")
    assert zoom(page) == "156 %"
    assert boxes(page)[0]["width"] == pytest.approx(1.5625 * left["width"], rel=0.01)
    page.keyboard.press("-")
    assert zoom(page) == "125 %"
    page.keyboard.press("0")
    assert zoom(page) == "100 %" and boxes(page)[0] == left

    frame = page.locator(".an-images").bounding_box()
    point = frame["x"] + 0.7 * frame["width"], frame["y"] + 0.3 * frame["height"]
    for _ in range(3):
        before = boxes(page)[1]
        page.mouse.move(*point)
        page.mouse.wheel(0, -200)
        page.wait_for_function("was => document.querySelector('.an-zoom').innerText !== was",
                               arg=f"{100 * before['width'] / right['width']:.0f} %")  # fmt: skip
        after = boxes(page)[1]
        under = [(point[0] - box["x"]) / box["width"] for box in (before, after)]
        assert under[0] == pytest.approx(under[1], abs=0.01)  # what is pointed at stays there

    page.mouse.down()
    page.mouse.move(point[0] - 3000, point[1] - 3000, steps=4)
    page.mouse.up()
    moved = boxes(page)[1]
    assert moved["x"] < after["x"]
    assert moved["x"] + moved["width"] > frame["x"] + 0.9 * frame["width"]  # never dragged away

    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    assert boxes(page)[1]["x"] == pytest.approx(moved["x"] + 80, abs=1)
    assert boxes(page)[1]["y"] == pytest.approx(moved["y"] + 80, abs=1)

    page.keyboard.press("0")
    page.keyboard.press("r")
    assert "rotate(90deg)" in page.locator(".an-stage img").first.get_attribute("style")
    page.keyboard.press("Space")
    full = page.locator(".an-images").bounding_box()
    assert (full["width"], full["height"]) == (1280, 800)
    page.keyboard.press("+")
    assert zoom(page) == "125 %"
    page.keyboard.press("Escape")
    assert page.locator(".an-images").bounding_box() == frame
    press(page, "1")
    assert zoom(page) == "100 %"
    assert page.errors == []


def read_the_guidelines(page):
    """They are marked as new until they have been read."""
    assert page.locator("[data-act=guidelines][data-new]").count() == 1
    page.keyboard.press("l")
    page.wait_for_selector(".an-guidelines:has-text('Guidelines, version 1')")
    assert page.inner_text(".an-guidelines h3") == "Look twice"
    assert page.inner_text(".an-guidelines strong") == "every"
    assert page.locator("[data-act=guidelines][data-new]").count() == 0
    page.keyboard.press("Escape")
    assert page.is_hidden(".an-guidelines")


def look_at_the_keys(page):
    """Nothing is answered while they are shown."""
    page.keyboard.press("?")
    page.wait_for_selector(".an-help[open]")
    keys = {key for line in page.locator(".an-help kbd").all_inner_texts() for key in line.split()}
    assert set("12TGBUSENCFMZDLRVO?↑↓") <= keys
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    assert page.inner_text(".an-question") == "Question 0?"


def make_it_gold_and_not(page, team, left):
    """The answer that is looked back at; then forward again."""
    press(page, "ArrowLeft")
    assert "slightly better" in page.inner_text(".an-answer[data-side=left]")
    page.keyboard.press("o")
    page.wait_for_selector(".an-notice:has-text('Gold: everybody gets this pair')")
    assert team.case(1, "lea").gold == ("choose", left)
    page.keyboard.press("o")
    page.wait_for_selector(".an-notice:has-text('gold no longer')")
    assert team.gold_pairs("charts") == 0
    press(page, "Escape")
    assert page.is_hidden(".an-notice")
    assert page.inner_text(".an-question") == "Question 1?"


def test_differences_aspects_guidelines_help_and_forward_have_their_keys(site, page):
    add_pairs(site, 3)
    store, team = site.context.store, site.context.store.team
    team.change_settings("lea", "charts", {"aspects": ["Faithful"], "repeat_share": 0})
    team.write_guidelines("lea", "charts", "# Look twice\n\nCount **every** bar.", 0)
    visit(page, site)
    seen(page)
    page.keyboard.press("d")
    marked = page.locator(".an-answer .an-different").all_inner_texts()
    assert {"good", "bad"} <= set(marked) and "0" not in marked
    read_the_guidelines(page)
    look_at_the_keys(page)
    for shown in ("Faithful: A", "Faithful: B", "Faithful: =", "Faithful: –", "Faithful: A"):
        page.keyboard.press("4")
        assert shown in page.inner_text(".an-aspects")
    left = store.card(1, "local").left.candidate_id
    page.keyboard.press("f")
    press(page, "q")
    saved(page)
    answer = store.card(1, "local").current
    assert (answer.strength, answer.flagged) == ("slightly", True)
    assert answer.aspects == {"Faithful": left} and answer.winner_id == left
    make_it_gold_and_not(page, team, left)
    press(page, "ArrowLeft")
    press(page, "ArrowRight")
    assert page.inner_text(".an-question") == "Question 1?"
    team.write_guidelines("lea", "charts", "# Look three times", 1)
    press(page, "1")
    press(page, "1")
    page.wait_for_selector(".an-empty:has-text('All 3 pairs done')")
    store.add_rows("more", [long_row()])
    page.keyboard.press("Enter")
    seen(page)
    before = page.evaluate("document.querySelector('.an-text').scrollTop")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('.an-text').scrollTop") > before
    assert page.errors == []


def long_row() -> Row:
    """A pair whose answers do not fit the screen."""
    texts = ("one\n" * 90, "two\n" * 90)
    prompt = (Message("user", (Part("text", "Which is longer?"),)),)
    return Row("long", (), prompt, candidates=tuple(Answer(text, text[:3]) for text in texts))


def test_saved_is_said_after_the_commit_and_the_next_images_are_there_before(site, page):
    add_pairs(site, 4)
    asked, held = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/annotate/save", lambda route: held.append(route))
    visit(page, site)
    seen(page)
    page.wait_for_function("performance.getEntriesByType('resource')"
                           ".filter(one => one.name.includes('/studio/images/')).length === 3")  # fmt: skip
    before = len([url for url in asked if "/studio/images/" in url])
    press(page, "1")
    assert page.inner_text(".an-question") == "Question 1?"
    seen(page)
    assert len([url for url in asked if "/studio/images/" in url]) == before
    assert page.get_attribute(".an-status", "data-state") == "saving"
    assert "saved" not in page.inner_text(".an-status")
    page.wait_for_timeout(300)
    assert page.get_attribute(".an-status", "data-state") == "saving"
    assert not page.evaluate(LEAVING)  # the answer is kept in the browser
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full') } }")
    press(page, "2")
    assert page.evaluate(LEAVING)
    page.unroute("**/annotate/save")  # lets through what was held
    saved(page)
    assert not page.evaluate(LEAVING)
    assert site.labelled == 2


def pinch(page, apart: tuple[int, int], middle: tuple[float, float]) -> None:
    """Two fingers from one distance to another."""
    touch = page.context.new_cdp_session(page)

    def send(kind: str, distance: float) -> None:
        sides = (-distance / 2, distance / 2)
        points = [{"x": middle[0] + side, "y": middle[1], "id": n} for n, side in enumerate(sides)]
        shown = [] if kind == "touchEnd" else points
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": shown})

    send("touchStart", apart[0])
    for step in range(1, 6):
        send("touchMove", apart[0] + (apart[1] - apart[0]) * step / 5)
    send("touchEnd", apart[1])


@pytest.fixture(scope="module")
def phone_window(browser):
    return browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)


@pytest.fixture
def phone(phone_window):
    """A page on a phone."""
    with emptied(phone_window):
        yield phone_window.new_page()


def test_by_touch_on_a_narrow_screen(site, phone):
    add_pairs(site, 3)
    page = phone
    visit(page, site)
    seen(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    frame = page.locator(".an-images").bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    pinch(page, (60, 180), middle)
    assert int(zoom(page).removesuffix(" %")) == pytest.approx(300, abs=25)
    pinch(page, (200, 20), middle)
    assert zoom(page) == "100 %"
    for act, question in (("left", "Question 1?"), ("tie", "Question 2?")):
        page.locator(f"[data-act={act}]").tap()
        page.wait_for_selector(f".an-question:has-text('{question}')")
        seen(page)
    page.locator("[data-act=both-bad]").tap()
    page.fill(".an-editor textarea", "It is seven.")
    page.locator("[data-act=editor-save]").tap()
    page.wait_for_selector(".an-empty:has-text('All 3 pairs done')")
    saved(page)
    assert [kind for _, kind, _ in site.labels()] == ["choose", "tie", "both_bad"]


def question_row(name: str, *turns: tuple[str, str]) -> Row:
    prompt = tuple(Message(role, (Part("text", text),)) for role, text in turns)
    return Row(name, (), prompt, candidates=(Answer("short", "a"), Answer("long " * 900, "b")))


LONG = "Look at the bars of every month, from left to right. " * 12
SEEN_OF_QUESTION = """() => {
  const place = document.querySelector('.an-question');
  const box = place.getBoundingClientRect();
  const asked = [...place.querySelectorAll('.an-turn.user')].at(-1).getBoundingClientRect();
  return { top: Math.round(asked.top - box.top), scrolled: place.scrollTop,
    above: place.hasAttribute('data-above'), below: place.hasAttribute('data-below') };
}"""


def wait_for_question(page: Page, state: str) -> None:
    page.wait_for_function(f"() => {{ const at = ({SEEN_OF_QUESTION})(); return {state}; }}")


def test_a_long_question_opens_at_its_first_word_and_says_that_there_is_more(site, page):
    site.context.store.add_rows("charts", [
        question_row("long", ("user", LONG)),
        question_row("talk", ("user", LONG), ("assistant", "Which?"), ("user", LONG)),
        question_row("short", ("user", "How many?")),
    ])  # fmt: skip
    visit(page, site)
    seen(page)
    at = page.evaluate(SEEN_OF_QUESTION)
    assert at["scrolled"] == 0 and at["below"] and not at["above"]
    assert page.locator(".an-text[data-below]").count() == 1
    for _ in range(12):
        page.keyboard.press("ArrowDown")
        if page.evaluate("document.querySelector('.an-text[data-below]').scrollTop"):
            break
    # Read to its end before the answers moved; a browser may scroll there in steps.
    wait_for_question(page, "at.above && !at.below")
    press(page, "1")
    wait_for_question(page, "at.above && at.below && 0 <= at.top && at.top <= 8")
    page.wait_for_function(
        "document.querySelector('.an-text[data-below]').scrollTop === 0"
    )  # the answers start at their top again
    press(page, "1")
    assert page.evaluate(SEEN_OF_QUESTION)["below"] is False
    assert page.errors == []


COVERED = """() => {
  const box = (name) => document.querySelector(name).getBoundingClientRect();
  const notice = box('.an-notice');
  return ['.an-question', '.an-images', '.an-answers', '.an-actions'].filter((name) => {
    const other = box(name);
    return notice.left < other.right && other.left < notice.right &&
      notice.top < other.bottom && other.top < notice.bottom;
  });
}"""


def test_a_notice_covers_nothing_that_is_read_or_pressed(site, page):
    add_pairs(site, 2)
    visit(page, site)
    seen(page)
    page.keyboard.press("e")
    page.wait_for_selector(".an-notice:has-text('Which answer do you improve?')")
    assert page.evaluate(COVERED) == []
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.wait_for_selector(".an-notice:has-text('Marking')")
    assert page.evaluate(COVERED) == []


def test_after_an_answer_a_phone_shows_the_next_pair_from_its_top(site, phone):
    add_pairs(site, 3)
    page = phone
    page.set_viewport_size({"width": 390, "height": 700})
    visit(page, site)
    seen(page)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert page.locator(".an-question").bounding_box()["y"] < 100
    page.locator("[data-act=right]").tap()
    page.wait_for_selector(".an-question:has-text('Question 1?')")
    seen(page)
    image, question = (page.locator(one).bounding_box() for one in (".an-images", ".an-question"))
    assert image["y"] >= 0 and question["y"] + question["height"] < 700


def test_nothing_left_is_not_all_done_by_oneself(site, page):
    add_pairs(site, 3)
    store = site.context.store
    store.team.change_settings("lea", store.datasets()[0].name, {"repeat_share": 0})
    for _ in range(2):
        card = site.context.store.claim("ben")
        site.context.store.save(
            LabelEvent(f"key-{card.pair_id}-ben", card.pair_id, "ben", "tie")
        )  # fmt: skip
    visit(page, site)
    seen(page)
    assert page.inner_text(".an-counts").startswith("1 left of 3 pairs · 0 answers by you")
    press(page, "1")
    page.wait_for_selector(".an-empty:has-text('Nothing left for you')")
    assert "You answered 1 pair of 3; the others need no answer of yours" in page.inner_text(
        ".an-empty"
    )
    assert page.inner_text(".an-counts").startswith("none left of 3 pairs · 1 answer by you")


def test_the_counts_move_by_one_whatever_is_shown_and_end_without_contradiction(
    site, page, monkeypatch
):
    add_pairs(site, 14)
    store = site.context.store
    pairs = [pair.id for item in store.browse() for pair in item.pairs]
    monkeypatch.setattr(gold, "is_repeated", lambda person, pair, share: pair == pairs[0])
    for pair in pairs[-2:]:
        store.team.set_gold("lea", pair, "tie", None)
    store.team.change_settings("lea", "charts", {"gold_share": 0.2})
    visit(page, site)
    seen(page)
    for answered in range(15):
        counts = page.inner_text(".an-counts")
        given = "1 answer" if answered == 1 else f"{answered} answers"
        left = round((15 - answered) * 14 / 15)  # 15 answers to 14 pairs, one of which comes twice
        assert counts.startswith(f"{left} left of 14 pairs · {given} by you"), counts
        press(page, "1")
        saved(page)
        if answered in (3, 11, 13):
            press(page, "z")
            seen(page)
            assert page.inner_text(".an-counts").startswith(f"{left} left of 14 pairs")
            press(page, "1")
    page.wait_for_selector(".an-empty:has-text('All 14 pairs done')")
    assert "You gave 15 answers." in page.inner_text(".an-empty")
    assert page.inner_text(".an-counts").startswith(
        "none left of 14 pairs · 15 answers by you · 15 today, "
    )


READ = """() => {
  const status = document.querySelector(".an-status");
  const { left, right, height } = status.getBoundingClientRect();
  return left >= 0 && right <= innerWidth && height > 0
    && status.scrollWidth <= status.clientWidth && status.scrollHeight <= status.clientHeight + 1;
}"""


def is_said_in_full(page: Page) -> None:
    for width in (390, 1024, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        assert page.evaluate(READ), width


def test_what_is_not_saved_is_said_in_full_at_every_width(site, page):
    add_pairs(site, 4)
    visit(page, site)
    seen(page)
    page.route("**/annotate/save", lambda route: route.abort())
    press(page, "1")
    page.wait_for_selector(".an-status:has-text('Not saved: no connection · 1 answer kept')")
    is_said_in_full(page)
    page.unroute("**/annotate/save")
    said = '{"message": "Your login has ended. Log in again, in this browser, to go on."}'
    page.route("**/annotate/**", lambda route: route.fulfill(status=401, body=said))
    page.wait_for_selector(".an-status:has-text('Log in · Not saved: Your login has ended')")
    is_said_in_full(page)
