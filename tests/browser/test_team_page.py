"""The Team tab in a real browser: the form, Decide and Figures follow the dataset that is chosen."""

from __future__ import annotations

import time

import pytest

from studio.annotation import LabelEvent
from studio.api.context import close_context, open_context
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.team.tab import FIELDS
from tests.browser.annotate_steps import Site, put_back, remembered
from tests.ui.serving import served


@pytest.fixture(scope="module")
def two_datasets(tmp_path_factory):
    """A studio with two datasets whose settings and guidelines differ, and its database then."""
    context = open_context(str(tmp_path_factory.mktemp("team-page") / "workspace"))
    for name in ("first", "second"):
        prompt = (Message("user", (Part("text", f"Of {name}?"),)),)
        answers = (Answer(f"{name} one", "a"), Answer(f"{name} two", "b"))
        rows = [Row(f"r{n}", (), prompt, candidates=answers) for n in range(2)]
        context.store.add_rows(name, rows)
    team = context.store.team
    team.change_settings("local", "first", {"overlap": 2, "qualification": 3, "aspects": ("A",)})
    team.write_guidelines("local", "first", "Guidelines of first", 0)
    team.change_settings("local", "second", {"overlap": 5, "skip_limit": 7})
    with served(context, ("team",)) as address:
        site = Site(address, context)
        with remembered(site) as copy:
            yield site, copy
    close_context(context)


@pytest.fixture
def site(two_datasets):
    site, copy = two_datasets
    put_back(site, copy)
    return site


def open_team(page, site: Site) -> None:
    page.goto(site.url)
    page.get_by_role("tab", name="Team").click()
    page.wait_for_function("document.querySelector('#team-dataset input')?.value === 'first'")


def choose(page, dataset: str) -> None:
    page.click("#team-dataset input")
    page.get_by_role("option", name=dataset, exact=True).click()


LABELS = ("Overlap", "Skip limit", "Qualification", "Aspects", "Guidelines (Markdown)")
FIRST = ["2", "3", "3", "A", "Guidelines of first"]
SECOND = ["5", "7", "0", "", ""]
SHOWS = """([labels, values]) => labels.every((label, place) => {
  const fields = [...document.querySelectorAll("#team-project label")];
  const field = fields.find((one) => one.innerText.trim().startsWith(label));
  return field?.querySelector("input, textarea")?.value === values[place];
})"""


def shows(page, values: list[str]) -> None:
    """The form has these values, and keeps them."""
    page.wait_for_function(SHOWS, arg=[list(LABELS), values])


# No event has been under way for a while: what one of them starts has been answered too.
QUIET = """() => {
  performance.setResourceTimingBufferSize(10000);  // it takes no more when it is full
  const asked = performance.getEntriesByType("resource")
    .filter((entry) => entry.name.includes("/gradio_api/queue/join"));
  const last = asked.at(-1)?.startTime ?? 0;
  return performance.now() - last > 400;
}"""


def settled(page) -> None:
    """Every event of the page has been answered."""
    page.wait_for_function(QUIET)
    page.wait_for_function("!document.querySelector('#tab-team .generating, #tab-team .pending')")


def changes(site: Site) -> list[tuple[str, str, str]]:
    """What the log says of settings and guidelines, newest first."""
    lines = site.context.store.team.log()
    told = [line for line in lines if line.action in ("settings", "guidelines")]
    return [(line.dataset, line.action, line.what) for line in told]


def test_the_form_follows_the_dataset_on_every_sub_tab(site, page):
    open_team(page, site)
    page.get_by_role("tab", name="Project").click()
    shows(page, FIRST)
    for dataset, values in (("second", SECOND), ("first", FIRST), ("second", SECOND)):
        choose(page, dataset)
        shows(page, values)
        settled(page)
        shows(page, values)
        page.click("#team-refresh")
        settled(page)
        shows(page, values)
        assert page.get_by_text("Not saved yet").count() == 0
    for elsewhere, dataset, values in (
        ("Figures", "first", FIRST), ("Decide", "second", SECOND), ("Log", "first", FIRST),
    ):  # fmt: skip
        page.get_by_role("tab", name=elsewhere).click()
        choose(page, dataset)
        settled(page)
        page.get_by_role("tab", name="Project").click()
        shows(page, values)


def test_saving_writes_the_one_field_that_was_changed_into_the_dataset_on_show(site, page):
    open_team(page, site)
    page.get_by_role("tab", name="Project").click()
    choose(page, "second")
    shows(page, SECOND)
    settled(page)
    before = changes(site)
    page.get_by_label("Skip limit").first.fill("8")
    page.get_by_label("Skip limit").first.press("Tab")
    page.click("#team-save")
    page.wait_for_selector("#tab-team :text('Saved. New answers are given under it')")
    assert changes(site) == [("second", "settings", "skip_limit: 8"), *before]
    assert site.context.store.team.guidelines("second").version == 0


def test_what_is_typed_stays_with_its_dataset(site, page):
    open_team(page, site)
    page.get_by_role("tab", name="Project").click()
    shows(page, FIRST)
    settled(page)
    page.get_by_label("Guidelines (Markdown)").first.fill("Half a sentence")
    choose(page, "second")
    shows(page, SECOND)
    settled(page)
    shows(page, SECOND)
    choose(page, "first")
    shows(page, [*FIRST[:-1], "Half a sentence"])
    page.wait_for_selector("#tab-team :text('Not saved yet')")
    settled(page)
    page.click("#team-save")
    page.wait_for_selector("#tab-team :text('Saved. New answers are given under it')")
    assert site.context.store.team.guidelines("first").text == "Half a sentence"
    assert site.context.store.team.guidelines("second").text == ""


JOIN = "**/gradio_api/queue/join**"


def hold(page) -> list:
    """Requests for the form's values wait until `let_go`; they fill the list."""
    held = []

    def join(route) -> None:
        asks = len(route.request.post_data_json["data"]) > len(FIELDS)
        held.append(route) if asks else route.continue_()

    page.route(JOIN, join)
    return held


def waited_for(page, held: list) -> None:
    until = time.monotonic() + 60
    while not held:
        assert time.monotonic() < until, "nothing asked for the values"
        page.wait_for_timeout(20)


def let_go(page) -> None:
    page.unroute(JOIN)  # lets through what was held


def test_values_that_come_late_overwrite_nothing_that_was_typed(site, page):
    open_team(page, site)
    page.get_by_role("tab", name="Project").click()
    shows(page, FIRST)
    settled(page)
    held = hold(page)
    page.click("#team-refresh")
    waited_for(page, held)
    page.get_by_label("Guidelines (Markdown)").first.fill("Typed meanwhile")
    let_go(page)
    shows(page, [*FIRST[:-1], "Typed meanwhile"])
    settled(page)
    shows(page, [*FIRST[:-1], "Typed meanwhile"])
    page.click("#team-save")
    page.wait_for_selector("#tab-team :text('Saved. New answers are given under it')")
    assert site.context.store.team.guidelines("first").text == "Typed meanwhile"


def test_the_form_takes_no_text_before_its_values_are_there(site, page):
    held = hold(page)  # the only tab asks as soon as the page is there
    page.goto(site.url)
    page.wait_for_selector(".studio-header")
    waited_for(page, held)
    page.get_by_role("tab", name="Project").click()
    guidelines = page.get_by_label("Guidelines (Markdown)").first
    guidelines.wait_for()
    assert guidelines.is_disabled() and page.get_by_label("Overlap").first.is_disabled()
    let_go(page)
    guidelines.fill("Typed as soon as it can be")
    shows(page, [*FIRST[:-1], "Typed as soon as it can be"])
    settled(page)
    shows(page, [*FIRST[:-1], "Typed as soon as it can be"])


def disagree(site: Site) -> None:
    """Two people answer every pair of both datasets differently."""
    team = site.context.store.team
    for name in ("first", "second"):
        team.change_settings("local", name, {"overlap": 2, "qualification": 0, "repeat_share": 0})
        for who in ("ana", "ben"):
            while card := site.context.store.claim(who, name):
                sides = sorted((card.left, card.right), key=lambda side: side.candidate_id)
                chosen = sides[who == "ben"].candidate_id
                key = f"key-{who}-{card.pair_id}"
                event = LabelEvent(key, card.pair_id, who, "choose", chosen)
                site.context.store.save(event)


def test_decide_has_the_dataset_that_was_chosen_before_it_was_opened(site, page):
    disagree(site)
    open_team(page, site)
    choose(page, "second")
    settled(page)
    page.get_by_role("tab", name="Decide").click()
    page.wait_for_selector(".tm-root:has-text('Pair 3: no majority · 2 pairs to decide')")
    assert "Of second?" in page.inner_text(".tm-case .an-question")


def test_a_dataset_whose_pairs_cannot_be_read_leaves_no_other_pair_to_decide(site, page):
    disagree(site)
    open_team(page, site)
    page.get_by_role("tab", name="Decide").click()
    page.wait_for_selector(".tm-root:has-text('Pair 1: no majority · 2 pairs to decide')")
    page.wait_for_selector(".tm-case .an-work[data-seen]")
    page.route("**/team/case**", lambda route: route.abort())
    choose(page, "second")
    page.wait_for_selector(".tm-root:has-text('No connection.')")
    assert page.is_hidden(".tm-case")
    page.locator("#team-dataset input").blur()
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert site.context.store.team.queue_sizes("first")["disagreed"] == 2


def test_figures_say_that_they_are_being_worked_out(site, page):
    page.goto(site.url)
    page.route("**/gradio_api/queue/join**", lambda route: None)  # no event is ever answered
    page.get_by_role("tab", name="Team").click()
    page.wait_for_selector("#team-figures:has-text('Working out the figures…')")
    page.unroute_all(behavior="ignoreErrors")
    open_team(page, site)
    page.wait_for_selector("#team-figures:has-text('No answers yet')")


def test_the_log_fits_a_phone(site, page):
    store = site.context.store
    reason = "the legend is cut off and the axis has no numbers " * 4
    card = store.claim("a.long.name@an.organisation.example", "first")
    event = LabelEvent(
        "key-of-log", card.pair_id, "a.long.name@an.organisation.example", "skip", reason=reason
    )
    store.save(event)
    page.set_viewport_size({"width": 390, "height": 844})
    open_team(page, site)
    page.get_by_role("tab", name="Log").click()
    page.wait_for_selector("#team-log td:has-text('the legend is cut off')")
    beyond = """() => [...document.querySelectorAll("#team-log td")]
      .filter((cell) => cell.getBoundingClientRect().right > innerWidth
        || cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.innerText)"""
    assert page.evaluate(beyond) == []
    scroll = page.evaluate("document.querySelector('#team-log .tm-scroll').scrollWidth")
    assert scroll <= page.evaluate("document.querySelector('#team-log .tm-scroll').clientWidth")
