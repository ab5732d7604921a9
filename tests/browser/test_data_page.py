"""The library in a real browser: import, browse, edit, check; what an address brings back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from studio.annotation import ItemFilter
from studio.annotation.library.source_import import import_source
from studio.api.context import StudioContext, close_context, open_context
from studio.core.child_client import PipeWorker
from tests.preflight.conftest import drawing, saved
from tests.ui.serving import opened, served

SECOND = 1000
ROWS = 30
HOSTILE = (
    "<img src=x onerror='window.hit=1'><style>*{display:none}</style>"
    "![seen](http://192.0.2.1/track.png) $$x$$ ${window.hit=1} {{window.hit=1}}"
)
QUESTION = "Which of the bars is the tallest?"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioContext]:
    context = open_context(str(tmp_path_factory.mktemp("data-page") / "workspace"))
    yield context
    close_context(context)


@pytest.fixture(scope="module")
def address(context: StudioContext, python: str) -> Iterator[str]:
    """One studio for all tests here; its children are forked with torch loaded."""
    expect.set_options(timeout=60 * SECOND)
    with pytest.MonkeyPatch.context() as patch:
        usual = PipeWorker.__init__.__kwdefaults__
        patch.setitem(usual, "command", (python, "-m", "studio"))
        with served(context, ("data", "annotate")) as address:
            yield address


@pytest.fixture
def page(window: BrowserContext, address: str) -> Iterator[Page]:
    with opened(window, address, 60) as page:
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
    expect(result).to_contain_text("nothing reads 'frage'")
    question = page.get_by_label("Question", exact=True).first
    question.fill("frage")
    question.press("Enter")
    page.locator("#data-preview").click()
    expect(result).to_contain_text("Which bar is number 0?")
    page.locator("#data-do-import").click()
    report = page.locator("#data-report")
    expect(report).to_contain_text("2 rows cannot be used")
    expect(report).to_contain_text("Row 31: there is no image file 'gone.png'")
    expect(report).to_contain_text("Row 32: '../x' leads outside the folder of the data")


def download_reasons(page: Page) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download all 2 with their reasons").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "line,column,reason" and lines[1].startswith("31,image,there is no image")
    page.locator("#data-done-close").click()


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
    expect(page.locator("#data-items")).not_to_contain_text("Chosen")
    page.get_by_role("button", name="Show what is known").click()
    expect(page.locator("#data-items")).to_contain_text("Chosen")
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
    page.locator("#data-open-item [data-act=flag]").click()
    expect(page.locator("#data-open-item .item-head")).to_contain_text("flagged")
    expect(page.locator("#data-items")).to_contain_text("flagged")
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
    search = page.locator("#data-search").locator("input, textarea")
    expect(search).to_have_value("numb 17")
    expect(page.locator("#data-page-line")).to_have_text("1–1 of 1")
    page.locator("#data-item").get_by_role("button", name="Close").click()
    expect(page.locator("#data-open-item .item-detail")).to_have_count(0)
    search.fill("crimson")
    search.press("Enter")
    page.wait_for_function("location.search.includes('search=crimson')")
    expect(page.locator("#data-page-line")).to_have_text("1–1 of 1")
    mark_and_delete(page, context)
    page.locator("#dataset-list [data-dataset]").first.click()
    expect(page.locator("#data-page-line")).to_have_text(f"1–20 of {ROWS}")
    expect(search).to_have_value("")


def number_of_the_tick(page: Page) -> int:
    """The function that the Data tab asks once a second."""
    return page.evaluate(
        "(() => { const { components, dependencies } = window.gradio_config;"
        " const { id } = components.find((one) => one.props.elem_id === 'data-ticker');"
        " return dependencies.find((one) => one.targets.some("
        "   ([part, event]) => part === id && event === 'tick')).id; })()"
    )


def test_a_reload_comes_back_to_the_tab_and_one_nobody_sees_asks_nothing(page):
    sign = f'"fn_index":{number_of_the_tick(page)}'

    def is_tick(request) -> bool:
        return sign in (request.post_data or "").replace(" ", "")

    with page.expect_request(is_tick):
        pass
    annotate = page.get_by_role("tab", name="Annotate", exact=True)
    annotate.click()
    page.wait_for_function("location.search.includes('tab=annotate')")
    page.reload()
    expect(annotate).to_have_attribute("aria-selected", "true")
    page.wait_for_function("!document.querySelector('#data')?.offsetParent")
    assert "tab=annotate" in page.url
    asked: list[bool] = []
    page.on("request", lambda request: asked.append(is_tick(request)))
    page.wait_for_timeout(1.3 * SECOND)
    assert not any(asked)
    with page.expect_request(is_tick):
        page.get_by_role("tab", name="Data", exact=True).click()
    assert "tab=" not in page.url


@pytest.fixture
def bars(context: StudioContext, tmp_path: Path) -> str:
    """Six pairs in the library, the last two of which repeat the first."""
    for seed in range(4):
        (tmp_path / f"{seed}.png").write_bytes(saved(drawing(seed)))
    rows = [
        {"id": f"r{n}", "image": f"{n if n < 4 else 0}.png", "question": QUESTION,
         "chosen": "the one on the left", "rejected": "none"}
        for n in range(6)
    ]  # fmt: skip
    path = tmp_path / "bars.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return import_source(str(path), context.workspace, context.store, name="bars").dataset


def start_a_check(page: Page) -> Locator:
    page.get_by_role("button", name="Check what a model sees").click()
    model = page.locator("#check-model input, #check-model textarea").first
    expect(model).to_have_value("embedded")  # what is typed while the form appears is replaced
    model.fill(" ")
    page.locator("#check-start").click()
    expect(page.get_by_text("No model is given")).to_be_visible()
    model.fill("embedded")
    expect(page.locator("#check-report")).to_contain_text("Not checked yet")
    page.locator("#check-length input").fill("45")
    page.locator("#check-start").click()
    report = page.locator("#check-report .check-report")
    report.wait_for(timeout=120 * SECOND)
    return report


def test_a_check_from_the_form_to_rows_shown_and_excluded(bars, page, context):
    report = start_a_check(page)
    expect(report).to_contain_text("6 rows with embedded")
    expect(report).to_contain_text("6 rows (100 %) longer than the 45 tokens of the maximum length")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Report as JSON").click()
    found = json.loads(Path(waiting.value.path()).read_text())
    assert (found["source"], found["rows"], found["duplicates"]) == (bars, 6, 2)

    page.locator("[data-finding=duplicates][data-action=show]").click()
    expect(page.locator("#data-narrowed")).to_contain_text("Duplicates")
    expect(page.locator("#data-items tbody tr")).to_have_count(2)
    expect(page.locator("#data-narrowed")).to_be_in_viewport()

    page.locator(".check-thumb").first.click()
    expect(page.locator("#check-sight")).to_contain_text("96 × 96 pixels, 1 tile, 39 tokens")
    seen = page.locator("#check-sight img.seen")
    assert seen.evaluate("image => image.decode().then(() => image.naturalWidth)") == 96

    page.locator("[data-finding=duplicates][data-action=exclude]").click()
    expect(report).to_contain_text("4 rows now")
    expect(page.locator("#data-items .chip.bad")).to_have_text(["⊘excluded"] * 2)
    excluded = ItemFilter(dataset=bars, excluded=True)
    assert context.store.count(excluded) == 2

    page.reload()
    page.get_by_role("button", name="Check what a model sees").click()
    page.locator("[data-finding=duplicates][data-action=include]").click()
    expect(page.locator("[data-finding=duplicates][data-action=exclude]")).to_be_visible()
    assert context.store.count(excluded) == 0


@pytest.fixture
def second(context: StudioContext) -> str:
    """The second of two datasets with two pairs each."""
    for name in ("first", "second"):
        rows = [{"id": f"{name}{n}", "question": f"{name} {n}?", "chosen": "a", "rejected": "b"}
                for n in range(2)]  # fmt: skip
        path = context.workspace.root / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        import_source(str(path), context.workspace, context.store)
    names = [dataset.name for dataset in context.store.datasets()]
    return next(name for name in names if "second" in name)


def test_the_pairs_to_label_are_those_of_the_dataset_the_button_names(second, page):
    page.locator(f"[data-dataset='{second}']").click()
    page.wait_for_selector(f"#dataset-list [data-dataset='{second}'][aria-pressed=true]")
    button = page.locator("#data-label:has-text('Label the 2 waiting pairs')")
    button.click()
    page.wait_for_selector(".an-question:has-text('second 0?')")
    expect(page.locator(".an-select")).to_have_value(second)
    page.get_by_role("tab", name="Data").click()
    page.locator("[data-dataset='']").click()
    page.wait_for_selector("#dataset-list [data-dataset=''][aria-pressed=true]")
    page.locator("#data-label:not(:has-text('Label the 2 waiting'))").click()
    expect(page.locator(".an-select")).to_have_value("")


@pytest.fixture
def answers(context: StudioContext, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A dataset of four rows without pairs, named as the test."""
    rows = [{"id": f"t{n}", "question": f"{n}?", "answer": f"text {n}"} for n in range(4)]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    name = request.node.name
    return import_source(str(path), context.workspace, context.store, name=name).dataset


def test_ticks_show_what_is_selected_however_fast_they_come(answers, page, context):
    page.locator(f"[data-dataset='{answers}']").click()
    boxes = page.locator("#data-items tbody [data-tick]")
    expect(boxes).to_have_count(4)
    page.evaluate(
        "[...document.querySelectorAll('#data-items tbody [data-tick]')].slice(0, 2)"
        ".forEach((box) => box.click())"
    )
    expect(page.locator("#data-bulk-line")).to_have_text("2 rows selected")
    page.locator("#data-exclude").click()
    expect(page.locator("#data-items .chip.bad")).to_have_text(["⊘excluded"] * 2)
    ticked = page.locator("#data-items tbody [data-tick]:checked")
    expect(ticked).to_have_count(2)
    page.get_by_role("button", name="Clear selection").click()
    expect(ticked).to_have_count(0)
    boxes.nth(1).click()
    expect(page.locator("#data-bulk-line")).to_have_text("1 row selected")
    page.locator("#data-delete").click()
    expect(page.locator("#data-binned-line")).to_have_text("1 row is in the bin now.")
    expect(boxes).to_have_count(3)
    expect(ticked).to_have_count(0)
    page.locator("#data-undo-delete").click()
    expect(boxes).to_have_count(4)
    assert context.store.count(ItemFilter(dataset=answers)) == 4


def test_of_two_answers_the_later_one_counts_whichever_arrives_first(answers, page):
    page.locator(f"[data-dataset='{answers}']").click()
    boxes = page.locator("#data-items tbody [data-tick]")
    expect(boxes).to_have_count(4)
    held = []

    def late(route):
        answer = route.fetch()
        if not held and '"tick"' in (route.request.post_data or ""):
            held.append((route, answer))
        else:
            route.fulfill(response=answer)

    line = page.locator("#data-bulk-line")
    page.route("**/gradio_api/run/predict**", late)
    boxes.nth(0).click()
    boxes.nth(1).click()
    expect(line).to_have_text("2 rows selected")
    first, answer = held[0]
    first.fulfill(response=answer)
    expect(line).to_have_text("1 row selected")  # the answer to the first tick, shown too late
    expect(line).to_have_text("2 rows selected")
    expect(page.locator("#data-items tbody [data-tick]:checked")).to_have_count(2)
    page.unroute_all(behavior="wait")
