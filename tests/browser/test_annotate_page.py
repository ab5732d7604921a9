"""Labelling in a real browser, by keyboard alone: nothing is lost, doubled or moved."""

from __future__ import annotations

from dataclasses import replace

from studio.data.schema import Answer, Message, Part, Row
from tests.browser.annotate_steps import PAIRS, Site, add_pairs, press, saved, seen, visit
from tests.ui.serving import served


def test_a_session_by_keyboard_with_undo_skip_and_a_lost_network(site, page):
    add_pairs(site)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    assert "good" in page.inner_text(".an-answers")
    place = page.locator("[data-act=left]").bounding_box()
    for key in ("1", "2", "t", "g", "b", "u"):
        if key == "b":
            seen(page)
            page.keyboard.press("b")
            key = "Enter"
        press(page, key)
        assert page.locator("[data-act=left]").bounding_box() == place
    saved(page)
    assert site.labelled == 6
    press(page, "z")
    assert page.inner_text(".an-question") == "Question 5?"
    press(page, "1")
    seen(page)
    page.keyboard.press("s")
    press(page, "1")
    seen(page)
    page.keyboard.press("s")
    page.fill(".an-skip input", "1 z 2: typed, not pressed")
    press(page, "Enter")
    saved(page)
    assert site.labelled == 8

    page.context.set_offline(True)
    press(page, "1")
    press(page, "2")
    page.wait_for_selector(".an-status[data-state=problem]:has-text('kept in this browser')")
    assert "2 answers" in page.inner_text(".an-status")
    assert site.labelled == 8
    page.context.set_offline(False)
    saved(page)
    assert site.labelled == 10

    for _ in range(PAIRS - 10):
        press(page, "1")
    page.wait_for_selector(".an-empty:has-text('All 15 pairs done')")
    kinds = [kind for _, kind, _ in site.labels()]
    assert kinds[:9] == [
        "choose", "choose", "tie", "both_good", "both_bad", "unsure", "undo", "choose", "skip",
    ]  # fmt: skip
    assert [reason for _, kind, reason in site.labels() if kind == "skip"] == [
        "Image unclear",
        "1 z 2: typed, not pressed",
    ]
    assert site.context.store.progress("local").labelled == PAIRS
    assert page.title() == "VLM Studio"
    assert page.errors == []


def test_a_key_before_the_image_is_nobody_s_answer_and_a_double_click_answers_one(site, page):
    add_pairs(site, 4)
    held = []
    page.route("**/studio/images/*", lambda route: held.append(route))
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    page.keyboard.press("t")
    page.wait_for_selector(".an-early:has-text('Not counted')")
    assert page.inner_text(".an-question") == "Question 0?"
    assert site.labels() == []
    for image in held:
        image.continue_()
    page.unroute("**/studio/images/*")
    seen(page)
    page.dblclick("[data-act=left]")
    page.wait_for_selector(".an-question:has-text('Question 1?')")
    saved(page)
    assert site.labelled == 1


def test_a_reason_half_typed_is_back_after_a_reload(site, page):
    add_pairs(site, 2)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    seen(page)
    page.keyboard.press("s")
    page.fill(".an-skip input", "the legend is cut")
    page.goto("about:blank")
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    seen(page)
    page.keyboard.press("s")
    assert page.input_value(".an-skip input") == "the legend is cut"


def test_answers_a_full_disk_refused_survive_a_closed_tab(site, page):
    add_pairs(site, 5)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    full = {"message": "The annotation database cannot be used: database or disk is full."}
    page.route("**/annotate/save", lambda route: route.fulfill(status=500, json=full))
    press(page, "1")
    press(page, "2")
    page.wait_for_selector(".an-status[data-state=problem]:has-text('disk is full')")
    page.wait_for_selector(".an-status:has-text('2 answers kept in this browser')")
    assert site.labelled == 0
    page.unroute("**/annotate/save")
    page.goto("about:blank")
    visit(page, site)
    saved(page)
    page.wait_for_selector(".an-question:has-text('Question 2?')")
    assert [kind for _, kind, _ in site.labels()] == ["choose", "choose"]


def test_a_lost_acknowledgement_is_one_label(site, page):
    add_pairs(site, 3)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    lost = []

    def lose_first(route):
        reply = route.fetch()
        if lost:
            return route.fulfill(response=reply)
        lost.append(reply.status)
        return route.abort()

    page.route("**/annotate/save", lose_first)
    press(page, "1")
    saved(page)
    assert lost == [200]
    assert len(site.labels()) == 1


def test_a_second_tab_s_answer_is_a_conflict_to_look_at(site, page):
    add_pairs(site, 4)
    visit(page, site)
    other = page.context.new_page()
    visit(other, site)
    for tab in (page, other):
        tab.wait_for_selector(".an-question:has-text('Question 0?')")
    press(page, "1")
    saved(page)
    press(other, "2")
    other.wait_for_selector(".an-notice:has-text('answered this pair elsewhere')")
    other.keyboard.press("v")
    other.wait_for_selector(".an-answer[data-side=left][data-verdict=chosen]")
    press(other, "2")
    saved(other)
    assert site.labelled == 1
    assert [kind for _, kind, _ in site.labels()] == ["choose", "choose"]
    press(page, "1")
    saved(page)
    press(other, "2")
    other.wait_for_selector(".an-notice:has-text('answered this pair elsewhere')")
    assert other.inner_text(".an-question") == "Question 2?"
    other.keyboard.press("v")
    other.wait_for_selector(".an-question:has-text('Question 1?')")
    press(other, "Escape")
    assert other.inner_text(".an-question") == "Question 2?"


def test_late_replies_to_undos_make_no_conflict_of_an_answer_given_again(site, page):
    """Every order of answers and undos is kept, whatever the server has acknowledged of them."""
    add_pairs(site, 3)
    visit(page, site)
    held, passed = [], []

    def all_but_the_first(route):
        if passed:
            held.append(route)
        else:
            passed.append(route)
            route.continue_()

    page.route("**/annotate/undo", all_but_the_first)
    press(page, "1")
    page.keyboard.press("z")
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    with page.expect_response("**/annotate/save"):
        press(page, "2")
    press(page, "z")
    press(page, "t")
    page.keyboard.press("z")
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    press(page, "g")
    page.unroute("**/annotate/undo")  # lets through what was held
    saved(page)
    assert page.is_hidden(".an-notice")
    assert [kind for _, kind, _ in site.labels()] == [
        "choose", "undo", "choose", "undo", "tie", "undo", "both_good",
    ]  # fmt: skip


def test_two_undos_of_one_pair_and_an_answer_on_a_slow_link(site, page):
    add_pairs(site, 3)
    visit(page, site)
    press(page, "1")
    saved(page)
    press(page, "ArrowLeft")
    press(page, "2")
    saved(page)
    held = []
    page.route("**/annotate/undo", lambda route: held.append(route))
    page.keyboard.press("z")
    page.wait_for_selector(".an-answer[data-side=left][data-verdict=chosen]")
    page.keyboard.press("z")
    page.wait_for_selector(".an-work:not(.reviewing)")
    press(page, "t")
    page.unroute("**/annotate/undo")  # lets through what was held
    saved(page)
    assert page.is_hidden(".an-notice")
    assert [kind for _, kind, _ in site.labels()] == ["choose", "choose", "undo", "undo", "tie"]


def test_a_refused_answer_that_was_taken_back_leaves_no_trace(site, page):
    add_pairs(site, 3)
    visit(page, site)
    refused = []

    def refuse_first(route):
        if refused:
            return route.continue_()
        return refused.append(route)

    page.route("**/annotate/save", refuse_first)
    press(page, "1")
    press(page, "z")
    press(page, "t")
    refused[0].fulfill(status=422, json={"message": "It does not fit."})
    saved(page)
    assert page.is_hidden(".an-notice")
    assert [kind for _, kind, _ in site.labels()] == ["tie"]


def test_looking_back_and_answering_again_replaces(site, page):
    add_pairs(site, 4)
    visit(page, site)
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    press(page, "1")
    press(page, "t")
    saved(page)
    press(page, "ArrowLeft")
    press(page, "ArrowLeft")
    assert "your choice" in page.inner_text(".an-answer[data-side=left]")
    press(page, "2")
    assert page.inner_text(".an-question") == "Question 2?"
    saved(page)
    assert site.labelled == 2
    press(page, "z")
    assert "your choice" in page.inner_text(".an-answer[data-side=left]")


def test_from_nothing_to_an_export_ready_to_train_on(site, page):
    with served(site.context, ("annotate", "train")) as address:
        from_nothing_to_an_export(replace(site, url=address), page)
        page.close()  # the server ends when nobody listens to it


def from_nothing_to_an_export(site: Site, page) -> None:
    visit(page, site)
    page.click("[data-act=import-samples]")
    page.wait_for_selector(".an-text:not(:empty)", timeout=60_000)
    assert site.context.store.count() > 10
    press(page, "1")
    press(page, "2")
    saved(page)
    page.click("[data-act=export-form]")
    page.click("#annotate-export-button")
    page.wait_for_selector("#annotate-result:has-text('2 pairs exported to exports/')")
    assert "no label yet" in page.inner_text("#annotate-result")
    page.click("text=Train on them")
    page.wait_for_function(
        "[...document.querySelectorAll('#tab-train input, [id^=set-data] input')]"
        ".some(one => one.offsetParent && /exports\\/|2 pairs|2 rows/.test(one.value))"
    )
    assert page.errors == []


def choose_dataset(page, name: str, question: str) -> None:
    page.select_option(".an-select", name)
    page.wait_for_selector(f".an-question:has-text('{question}')")


def test_undo_stays_within_the_dataset_that_is_chosen(site, page):
    add_pairs(site, 3)
    prompt = (Message("user", (Part("text", "Of maps?"),)),)
    answers = (Answer("north"), Answer("south"))
    site.context.store.add_rows(
        "maps", [Row(f"m{n}", (), prompt, candidates=answers) for n in (1, 2)]
    )
    visit(page, site)
    choose_dataset(page, "charts", "Question 0?")
    press(page, "t")
    choose_dataset(page, "maps", "Of maps?")
    seen(page)
    page.keyboard.press("1")
    saved(page)
    for _ in range(3):
        seen(page)
        page.keyboard.press("z")
        page.wait_for_timeout(150)
    page.wait_for_selector(".an-notice:has-text('Nothing more of yours to take back here')")
    saved(page)
    assert [kind for _, kind, _ in site.labels()] == ["tie", "choose", "undo"]
    page.reload()
    visit(page, site)
    page.select_option(".an-select", "maps")
    page.wait_for_selector(".an-question:has-text('Of maps?')")
    seen(page)
    page.keyboard.press("z")
    page.wait_for_selector(".an-notice:has-text('Nothing more of yours to take back here')")
    page.select_option(".an-select", "")
    page.wait_for_selector(".an-question:has-text('Question 1?')")
    page.keyboard.press("z")
    page.wait_for_selector(".an-question:has-text('Question 0?')")
    assert [kind for _, kind, _ in site.labels()] == ["tie", "choose", "undo", "undo"]
    assert page.errors == []
