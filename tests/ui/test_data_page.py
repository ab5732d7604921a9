"""The library in a real browser: bad rows, their reasons, the mapping, browsing, editing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from serving import launched, opened, served

from studio.annotation import ItemFilter
from studio.ui.app import close_context, open_context
from studio.ui.context import StudioContext

SECOND = 1000
ROWS = 30
HOSTILE = (
    "<img src=x onerror='window.hit=1'><style>*{display:none}</style>"
    "![seen](http://192.0.2.1/track.png) $$x$$ ${window.hit=1} {{window.hit=1}}"
)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[StudioContext]:
    opened = open_context(str(tmp_path / "workspace"))
    yield opened
    close_context(opened)


@pytest.fixture
def page(context: StudioContext, chromium: str) -> Iterator[Page]:
    expect.set_options(timeout=60 * SECOND)
    with (
        served(context) as address,
        launched(chromium) as browser,
        opened(browser, address, 60) as page,
    ):
        page.on("dialog", lambda dialog: dialog.accept())
        yield page


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Pairs under German names, so that a mapping is needed; two rows cannot be read."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    rows = [
        {"id": f"r{n}", "image": "a.png", "frage": f"Which bar is number {n}?",
         "chosen": f"the tall red bar {n}", "rejected": f"the tall blue bar {n}"}
        for n in range(ROWS)
    ]  # fmt: skip
    rows[-1] |= {name: f"{HOSTILE} {name}" for name in ("frage", "chosen", "rejected", "note")}
    bad = [{**rows[0], "id": "gone", "image": "gone.png"}, {**rows[0], "id": "up", "image": "../x"}]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, [*rows, *bad])))
    return path


def choose(page: Page, name: str, option: str) -> None:
    page.locator(f"#{name} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def import_with_bad_rows(page: Page, source: Path) -> None:
    page.get_by_role("button", name="Import your own").click()
    page.locator("#data-source").locator("input, textarea").fill(str(source))
    page.locator("#data-preview").click()
    result = page.locator("#data-result")
    expect(result).to_contain_text("Recognised as: Preferences")
    expect(result).to_contain_text("Describe this image.")
    page.get_by_role("button", name="Columns").click()
    question = page.get_by_label("Question", exact=True).first
    question.fill("frage")
    question.press("Enter")
    page.locator("#data-preview").click()
    expect(result).to_contain_text("Which bar is number 0?")
    page.locator("#data-do-import").click()
    expect(result).to_contain_text("2 rows cannot be used")
    expect(result).to_contain_text("Row 31: there is no image file 'gone.png'.")
    expect(result).to_contain_text("Row 32: '../x' leads outside the folder of the data.")


def download_reasons(page: Page) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download all 2 with their reasons").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "line,column,reason" and lines[1].startswith("31,image,there is no image")
    page.locator("#data-import").get_by_role("button", name="Close").click()


def open_the_hostile_row(page: Page, rows: Locator) -> None:
    expect(rows.last).to_contain_text(f"{HOSTILE} frage")
    rows.last.click()
    item = page.locator("#data-open-item")
    for name in ("frage", "chosen", "rejected", "note"):
        expect(item).to_contain_text(f"{HOSTILE} {name}")
    choose(page, "data-view", "Gallery")
    expect(page.locator(".library-card").last).to_contain_text(HOSTILE)
    choose(page, "data-view", "Table")
    page.locator("#data-item").get_by_role("button", name="Close").click()


def turn_filter_and_search(page: Page) -> None:
    line, rows = page.locator("#data-page-line"), page.locator("#data-items [data-item]")
    expect(line).to_have_text(f"1–20 of {ROWS}")
    page.locator("#data-next").click()
    expect(line).to_have_text(f"21–{ROWS} of {ROWS}")
    open_the_hostile_row(page, rows)
    choose(page, "data-labels", "Labelled")
    expect(line).to_have_text("0 rows")
    choose(page, "data-labels", "Not labelled")
    search = page.locator("#data-search").locator("input, textarea")
    search.fill("numb 17")
    search.press("Enter")
    expect(line).to_have_text("1–1 of 1")
    expect(rows).to_contain_text(["Which bar is number 17?"])
    marks = page.locator("#data-items mark").all_inner_texts()
    assert marks == ["red", "blue"]
    page.get_by_role("button", name="More filters").click()
    longest = page.locator("#data-longest").locator("input, textarea")
    longest.fill("5")
    longest.press("Enter")
    expect(line).to_have_text("0 rows")
    longest.fill("")
    longest.press("Enter")
    expect(line).to_have_text("1–1 of 1")
    choose(page, "data-view", "Gallery")
    expect(page.locator(".library-gallery .library-card")).to_have_count(1)
    choose(page, "data-view", "Table")


def edit_and_look_back(page: Page, context: StudioContext) -> None:
    page.locator("#data-items tr[data-item]").click()
    chosen = page.locator("#data-open-item .answer-card.chosen")
    chosen.locator("[data-edit]").click()
    field = chosen.locator("textarea")
    expect(field).to_have_value("the tall red bar 17")
    field.fill(" ")
    chosen.locator("[data-save]").click()
    expect(page.locator("#data-problem")).to_contain_text("The answer would be empty.")
    field.fill("the tall crimson bar 17")
    chosen.locator("[data-save]").click()
    expect(chosen.locator("p.turn")).to_have_text("the tall crimson bar 17")
    expect(page.locator(".item-history summary")).to_have_text("History · 1 edit")
    assert context.store.count(ItemFilter(search="crimson")) == 1
    assert "row=" in page.url


def mark_and_delete(page: Page, context: StudioContext) -> None:
    page.locator("#data-items tbody [data-tick]").check()
    page.locator("#data-exclude").click()
    expect(page.locator("#data-items .chip.bad")).to_have_text("⊘excluded")
    page.locator("#data-delete").click()
    expect(page.locator("#data-page-line")).to_have_text("0 rows")
    choose(page, "data-marks", "In the bin")
    expect(page.locator("#data-page-line")).to_have_text("1–1 of 1")
    page.locator("#data-items tbody [data-tick]").check()
    page.locator("#data-restore").click()
    expect(page.locator("#data-page-line")).to_have_text("0 rows")
    assert context.store.count() == ROWS


def test_a_file_with_bad_rows_from_preview_to_edit(page, context, source):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    import_with_bad_rows(page, source)
    download_reasons(page)
    turn_filter_and_search(page)
    edit_and_look_back(page, context)
    assert page.evaluate("window.hit") is None and not [url for url in asked if "192.0.2.1" in url]
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#data-open-item")).to_contain_text("the tall crimson bar 17")
    page.locator("#data-item").get_by_role("button", name="Close").click()
    search = page.locator("#data-search").locator("input, textarea")
    search.fill("crimson")
    search.press("Enter")
    expect(page.locator("#data-page-line")).to_have_text("1–1 of 1")
    mark_and_delete(page, context)


def test_nothing_is_asked_while_another_tab_is_open(page):
    asked: list[str] = []
    page.get_by_role("tab", name="Annotate", exact=True).click()
    page.wait_for_function("!document.querySelector('#data').offsetParent")
    page.wait_for_timeout(1500)
    tick = page.evaluate(
        "window.gradio_config.dependencies.find(d => d.targets.some(t => t[1] === 'tick'"
        " && d.outputs.length === 2)).id"
    )
    page.on("request", lambda request: asked.append(request.post_data or ""))
    page.wait_for_timeout(2500)
    assert not [body for body in asked if f'"fn_index":{tick}' in body.replace(" ", "")]
    page.get_by_role("tab", name="Data", exact=True).click()
    page.wait_for_timeout(2500)
    assert [body for body in asked if f'"fn_index":{tick}' in body.replace(" ", "")]
