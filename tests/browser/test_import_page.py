"""Importing in a real browser: files dropped with their images, changed rows, and the next step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio.annotation.library.source_import import import_source
from studio.api.access.accounts import Accounts, add_user
from studio.api.context import StudioContext, close_context, open_context
from tests.preflight.conftest import drawing, saved
from tests.ui.serving import opened, served

PASSWORD = "correct horse battery"
SECOND = 1000
HOSTILE = "<img src=x onerror='window.hit=1'>${window.hit=1}{{window.hit=1}}"
TREE = {"charts/pairs.jsonl", "charts/images/0.png", "charts/images/1.png"}
DROP = """async ([selector, files]) => {
    const entry = (path, text) => ({
      isFile: true, isDirectory: false, fullPath: `/${path}`,
      file: (take) => take(new File([text], path.split("/").pop())),
    });
    const items = files.map(([path, text]) =>
      ({ kind: "file", webkitGetAsEntry: () => entry(path, text) }));
    const event = new Event("drop", { bubbles: true, cancelable: true });
    Object.defineProperty(event, "dataTransfer", { value: { items } });
    document.querySelector(selector).dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioContext]:
    context = open_context(str(tmp_path_factory.mktemp("import-page") / "workspace"))
    yield context
    close_context(context)


@pytest.fixture(scope="module")
def address(context: StudioContext) -> Iterator[str]:
    expect.set_options(timeout=20 * SECOND)
    with served(context, ("data", "annotate", "train")) as address:
        yield address


@pytest.fixture
def page(window: BrowserContext, address: str) -> Iterator[Page]:
    with opened(window, address, 60) as page:
        yield page


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A folder as people have it: rows, and their images further down."""
    folder = tmp_path / "charts"
    (folder / "images").mkdir(parents=True)
    for seed in range(2):
        (folder / "images" / f"{seed}.png").write_bytes(saved(drawing(seed)))
    rows = [
        {"id": f"r{n}", "image": f"images/{n}.png", "question": f"Which bar is {n}?",
         "chosen": "the left one", "rejected": "none", HOSTILE: "kept"}
        for n in range(2)
    ]  # fmt: skip
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / ".env").write_text("SECRET=1")
    return folder


def open_form(page: Page) -> None:
    page.locator("#data-open-import").click()
    page.wait_for_selector("[data-upload-act=files]")


def choose(page: Page, kind: str, *paths: Path) -> None:
    field = page.locator(f"input[data-upload-field={kind}]")
    field.set_input_files([str(path) for path in paths] if kind == "files" else str(paths[0]))


def left(context: StudioContext) -> list[Path]:
    return [path for path in context.workspace.uploads.rglob("*") if path.is_file()]


def test_a_file_alone_is_told_what_it_lacks_and_its_images_join_it(page, context, charts):
    open_form(page)
    choose(page, "files", charts / "pairs.jsonl")
    result = page.locator("#data-result")
    expect(result).to_contain_text("2 of the first 2 rows cannot be used")
    expect(result).to_contain_text(
        "Add the images: drop them, or their folder, into the area above"
    )
    choose(page, "folder", charts / "images")
    expect(page.locator("#data-upload")).to_contain_text("pairs.jsonl and 2 files")
    expect(result).to_contain_text("Recognised as: Preferences")
    expect(result).to_contain_text("Which bar is 0?")
    expect(result).not_to_contain_text("cannot be used")
    expect(result.locator(".source-table").first).to_contain_text(HOSTILE)
    page.locator("#data-do-import").click()
    report = page.locator("#data-report")
    expect(report).to_contain_text("2 added")
    expect(page.locator("#data-import")).to_be_hidden()
    assert left(context) == [] and page.evaluate("window.hit") is None
    page.locator("#data-import-more").click()
    expect(page.locator("#data-upload")).to_contain_text("Drop files or a whole folder here")
    page.locator("#data-import").get_by_role("button", name="Close").click()
    (item, _) = context.store.browse()
    assert item.dataset == "pairs" and len(item.images) == 1


def test_a_folder_keeps_its_places_survives_a_reload_and_can_be_removed(page, context, charts):
    open_form(page)
    choose(page, "folder", charts)
    area = page.locator("#data-upload")
    expect(area).to_contain_text("charts · 3 files")
    expect(area).to_contain_text("1 hidden file not sent.")
    assert {str(path.relative_to(path.parents[len(Path(name).parts) - 1]))
            for path in left(context) for name in TREE if str(path).endswith(name)} == TREE  # fmt: skip
    page.reload()
    open_form(page)
    expect(area).to_contain_text("charts · 3 files")
    expect(page.locator("#data-source textarea, #data-source input")).to_have_value("upload:charts")
    page.locator("#data-preview").click()
    expect(page.locator("#data-result")).to_contain_text("Which bar is 1?")
    page.locator("[data-upload-act=remove]").click()
    expect(area).to_contain_text("Drop files or a whole folder here")
    expect(page.locator("#data-source textarea, #data-source input")).to_have_value("")
    page.wait_for_function("sessionStorage.getItem('studio-upload') === null")
    page.locator("#data-preview").click()
    expect(page.locator("#data-result")).to_contain_text("No source is given.")
    assert left(context) == []


def test_what_cannot_be_taken_says_so_and_leaves_what_was_there(page, context, charts):
    open_form(page)
    choose(page, "files", charts / "pairs.jsonl")
    area, trouble = page.locator("#data-upload"), page.locator(".upload-trouble")
    expect(area).to_contain_text("pairs.jsonl · 1 file")
    page.evaluate(DROP, ["#data-upload [data-upload-area]", [["../../up.png", "x"]]])
    expect(trouble).to_contain_text("A file cannot be called '../../up.png' here.")
    page.evaluate(DROP, ["#data-upload [data-upload-area]", [[".git/config", "x"]]])
    expect(trouble).to_contain_text("only hidden files")
    page.evaluate(
        "Object.defineProperty(Blob.prototype, 'size', { get: () => 3 * 2 ** 30, configurable: true })"
    )
    choose(page, "files", charts / "images" / "0.png")
    expect(trouble).to_contain_text("One of the files is larger than 2 GB.")
    expect(area).to_contain_text("pairs.jsonl · 1 file")
    assert [path.name for path in left(context)] == ["pairs.jsonl"]
    page.locator("[data-upload-act=remove]").click()


def test_an_upload_that_is_stopped_or_cut_off_keeps_nothing(page, context, charts):
    open_form(page)
    held = []
    page.route("**/studio/uploads/*/pieces", lambda route: held.append(route))
    choose(page, "folder", charts)
    area = page.locator("#data-upload")
    expect(area).to_contain_text("Sending 3 files")
    page.locator("[data-upload-act=stop]").click()
    expect(area).to_contain_text("Stopped; none of these files was kept.")
    page.unroute_all(behavior="ignoreErrors")
    page.route("**/studio/uploads/*/pieces", lambda route: route.abort())
    choose(page, "folder", charts)
    expect(area).to_contain_text("The connection to the studio was lost")
    page.unroute_all(behavior="wait")
    assert left(context) == []
    choose(page, "folder", charts)
    expect(area).to_contain_text("charts · 3 files")
    page.locator("[data-upload-act=remove]").click()


def test_changed_rows_are_asked_about_and_trained_on(page, context, charts):
    rows = [{"id": "a", "question": "How many?", "answer": "8"}]
    path = charts.parent / "facts.jsonl"
    path.write_text(json.dumps(rows[0]))
    import_source(str(path), context.workspace, context.store)
    rows[0]["answer"] = f"9 {HOSTILE}"
    path.write_text(json.dumps(rows[0]))
    open_form(page)
    choose(page, "files", path)
    expect(page.locator("#data-result")).to_contain_text("Recognised as: Questions and answers")
    page.locator("#data-do-import").click()
    report = page.locator("#data-report")
    expect(report).to_contain_text("1 row is here under the same id with other contents")
    expect(report).to_contain_text(f"“8” → “9 {HOSTILE}”")
    page.locator("#data-changed-update").click()
    expect(report).to_contain_text("updated, with the old texts in their history")
    expect(page.locator("#data-changed")).to_be_hidden()
    assert left(context) == [] and page.evaluate("window.hit") is None
    page.get_by_role("button", name="Train on this 1 row").click()
    expect(page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")
    source = page.locator("#set-data-source input")
    expect(source).to_have_value("facts · 1 rows of the library")


@pytest.fixture
def two_sets(context: StudioContext, tmp_path: Path) -> tuple[str, str]:
    """Two datasets with three pairs each."""
    names = []
    for name in ("north", "south"):
        rows = [{"id": f"{name}{n}", "question": f"{name} {n}?", "chosen": "a", "rejected": "b"}
                for n in range(3)]  # fmt: skip
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        names.append(import_source(str(path), context.workspace, context.store).dataset)
    return names[0], names[1]


def test_waiting_pairs_open_though_another_dataset_is_being_labelled(two_sets, page, context):
    north, south = two_sets
    page.locator(f"[data-dataset='{north}']").click()
    page.locator("#data-label:has-text('Label the 3 waiting pairs')").click()
    page.wait_for_selector(".an-question:has-text('north')")
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")
    page.context.set_offline(True)
    first = page.inner_text(".an-question")
    page.keyboard.press("1")  # an answer that cannot be sent yet
    page.wait_for_function(
        "was => document.querySelector('.an-question').innerText !== was", arg=first
    )
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")
    drafted = page.inner_text(".an-question")
    page.keyboard.press("n")
    page.keyboard.type("Half an ideal")
    page.context.set_offline(False)

    page.get_by_role("tab", name="Data", exact=True).click()
    page.locator(f"[data-dataset='{south}']").click()
    page.wait_for_selector("#data-items:has-text('south 0?')")  # north's button says the same
    page.locator("#data-label:has-text('Label the 3 waiting pairs')").click()
    page.wait_for_selector(".an-question:has-text('south')")
    expect(page.locator(".an-select")).to_have_value(south)
    page.wait_for_selector(".an-status[data-state=saved]")
    assert context.store.progress("local", north).labelled == 1

    page.locator(".an-select").select_option(north)
    page.wait_for_selector(f".an-question:has-text('{drafted.strip()}')")
    page.keyboard.press("n")
    assert page.input_value(".an-editor textarea") == "Half an ideal"


def test_an_annotator_finds_the_pairs_under_the_address_that_the_report_names(window, tmp_path):
    for name, role in (("lea", "lead"), ("ann", "annotator")):
        add_user(tmp_path / "accounts.yaml", name, role, PASSWORD)
    opened = open_context(str(tmp_path / "workspace"), Accounts.load(tmp_path / "accounts.yaml"))
    for name in ("north", "south & east"):
        rows = [{"id": f"{name}{n}", "question": f"{name} {n}?", "chosen": "a", "rejected": "b"}
                for n in range(2)]  # fmt: skip
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        import_source(str(path), opened.workspace, opened.store)
    with served(opened, ("data",)) as address:
        page = window.new_page()
        page.goto(f"{address}login")
        page.fill("input[name=name]", "ann")
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_selector(".an-question")
        page.goto(f"{address}annotate/?dataset=south%20%26%20east")
        page.wait_for_selector(".an-question:has-text('south & east')")
        expect(page.locator(".an-select")).to_have_value("south & east")
        assert page.request.get(f"{address}studio/uploads/{'0' * 16}").status == 403
        page.close()
    close_context(opened)
