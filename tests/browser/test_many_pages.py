"""More open pages than a browser holds connections to one address, in a real browser."""

from __future__ import annotations

from tests.browser.annotate_steps import add_pairs, press, saved, seen
from tests.ui.serving import served

PAGES = 8  # a browser opens six connections to one address


def test_a_save_in_the_last_of_many_pages_and_then_in_the_first(site, window):
    add_pairs(site, 6)
    with served(site.context, ("annotate", "runs")) as address:
        pages = []
        for _ in range(PAGES):
            page = window.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{address}?tab=runs")  # no page but those below fetches pairs
            page.wait_for_selector(".studio-header .who:has-text('local')")
            pages.append(page)
        for page in (pages[-1], pages[0]):
            page.bring_to_front()
            page.get_by_role("tab", name="Annotate").click()
            seen(page)
            press(page, "1")
            saved(page)
        assert site.labelled == 2
        pages[3].bring_to_front()
        pages[3].get_by_role("tab", name="Annotate").click()
        seen(pages[3])
        pages[3].get_by_role("tab", name="Runs").click()
        pages[3].wait_for_selector("#tab-runs :text('No runs yet')")
        for page in pages:
            page.close()  # the server ends when nobody listens to it
