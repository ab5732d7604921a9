"""Text of data, people and models is text wherever it is shown: no element, script or request."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page

from studio.annotation import LabelEvent
from studio.annotation.records import TextChange
from studio.api.context import StudioContext, close_context, open_context
from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.data.schema import Answer, Message, Part, Row
from studio.inference.client import ChatModel, InferenceStatus
from studio.inference.protocol import ChatDelta
from studio.runs.event_log import EventLog
from tests.ui.serving import served

AWAY = "http://tracker.example"
IMAGE = f'<img class=evil src="{AWAY}/a.png" onerror="document.title=\'hacked\'">'
HOSTILE = (
    f"{IMAGE}<style class=evil>*{{display:none!important}}</style>"
    "<script class=evil>document.title='hacked'</script>"
    "<svg class=evil onload=\"document.title='hacked'\"></svg>"
    f'<iframe class=evil src="{AWAY}/f"></iframe><base class=evil href="{AWAY}/">'
    f"![pixel]({AWAY}/b.png) [here](javascript:document.title='hacked') <{AWAY}/c> "
    "${document.title='hacked'} {{document.title='hacked'}} {{constructor}} "
    "$$\\frac{1}{0}$$ \\(x^2\\) <math class=evil><mi>x</mi></math> =1+1"
)
ELEMENTS = (
    ".evil, [onerror], [onload], [src*='tracker.example'], [href*='tracker.example'], "
    "[href^='javascript:'], mjx-container, .MathJax, .katex, math, iframe"
)
STRANGER = f"eve {IMAGE}"


class Parrot:
    """An inference client whose model says what is hostile."""

    def models(self) -> list[ChatModel]:
        return [ChatModel("Embedded chart model", ModelConfig())]

    def training(self) -> None:
        return None

    def status(self) -> InferenceStatus:
        return InferenceStatus()

    def warm(self) -> None:
        """Nothing to get ready."""

    def compare(self, requests, unwanted=None) -> Iterator[tuple[int, ChatDelta]]:
        yield 0, ChatDelta(text=HOSTILE)
        yield 0, ChatDelta(done=True, tokens=1, tokens_per_second=9.0, stopped="end")

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def context(tmp_path) -> Iterator[StudioContext]:
    opened = open_context(str(tmp_path / "workspace"))
    opened.inference.close()
    opened = replace(opened, inference=Parrot())
    fill_library(opened)
    fill_team(opened)
    fill_runs(opened)
    yield opened
    close_context(opened)


def fill_library(context: StudioContext) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), "teal").save(buffer, "PNG")
    sha = context.images.add(buffer.getvalue())
    rows = []
    for number in range(3):
        prompt = (
            Message("system", (Part("text", f"system {HOSTILE}"),)),
            Message("user", (Part("image"), Part("text", f"question {number} {HOSTILE}"))),
        )
        answers = (
            Answer(f"one {HOSTILE}", f"model {IMAGE}"),
            Answer(f"two\n\n# {HOSTILE}\n\n- {HOSTILE}", IMAGE),
        )
        meta = {f"key {IMAGE}": HOSTILE}
        rows.append(Row(f"{number} {IMAGE}", (sha,), prompt, candidates=answers, meta=meta))
    with context.store.importing(f"data {IMAGE}", source=IMAGE, split=IMAGE[:100]) as batch:
        batch.add_rows(rows)
    [first, *_] = context.store.browse()
    change = TextChange(first.id, None, first.revision, f"edited {HOSTILE}", STRANGER)
    context.store.edit(change)
    context.store.tag([first.id], "<img class=evil src=x onerror=alert(1)>")


def fill_team(context: StudioContext) -> None:
    store, dataset = context.store, f"data {IMAGE}"
    values = {
        "overlap": 2, "qualification": 1, "gold_feedback": True, "markdown": True,
        "aspects": ["<img class=evil onerror=alert(1)>"], "repeat_share": 0,
    }  # fmt: skip
    store.team.change_settings(STRANGER, dataset, values)
    store.team.write_guidelines(STRANGER, dataset, f"# Look {HOSTILE}\n\n- {HOSTILE}", 0)
    for pair in (2, 3):
        card = store.card(pair, STRANGER)
        event = LabelEvent(
            f"key-of-eve-{pair}", pair, STRANGER, "choose", card.left.candidate_id, flagged=True,
            comment=f"comment {HOSTILE}", edit=f"edit {HOSTILE}", elapsed_ms=900,
        )  # fmt: skip
        store.save(event)
    skip = LabelEvent("key-of-eve-skip", 1, STRANGER, "skip", reason=f"reason {IMAGE}")
    store.save(skip)
    store.team.set_gold(STRANGER, 1, "tie", None, f"because {HOSTILE}")


def fill_runs(context: StudioContext) -> None:
    run = context.runs.create(
        RunConfig(name="run <img class=evil src=x onerror=alert(1)>", method="dpo")
    )
    log = EventLog(run.paths.events)
    log.append("metrics", step=1, loss=1.0)
    log.append("probe_rows", rows=[{"question": HOSTILE, "images": [], "base": HOSTILE}])
    log.append("probe", step=1, answers=[HOSTILE])
    run.paths.log.write_text(f"{HOSTILE}\n")


class Watch:
    """A page, and what it asked for elsewhere or said in a dialog."""

    def __init__(self, page: Page) -> None:
        self.page, self.leaks = page, []
        page.on("dialog", lambda dialog: (self.leaks.append(dialog.message), dialog.dismiss()))
        page.on("request", self.note)
        page.route(f"{AWAY}/**", lambda route: route.abort())

    def note(self, request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            self.leaks.append(request.url)

    def inert(self, selector: str) -> None:
        """The hostile text can be read in `selector`, and it is nothing but text."""
        self.page.wait_for_selector(f"{selector}:has-text('class=evil')")
        assert self.page.locator(ELEMENTS).count() == 0, selector
        assert self.page.title() == "VLM Studio", selector
        assert self.leaks == [], selector


@pytest.fixture
def watch(context, browser) -> Iterator[Watch]:
    with served(context) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        found = Watch(page)
        page.goto(address)
        page.wait_for_selector(".studio-header")
        yield found
        assert found.leaks == []
        page.close()  # the server ends when nobody listens to it


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).filter(visible=True).click()


def test_hostile_text_is_inert_wherever_it_is_shown(watch):
    look_through_the_library(watch)
    annotate(watch)
    lead(watch)
    chat(watch)
    look_at_a_run(watch)


def look_through_the_library(watch: Watch) -> None:
    page = watch.page
    watch.inert(".dataset-list")
    watch.inert("#data-items [data-item]")
    page.locator("#data-items tr[data-item]").first.click()
    watch.inert("#data-open-item .answer-card")
    page.locator(".item-history summary").click()
    watch.inert(".item-history")
    watch.inert(".item-meta")


def annotate(watch: Watch) -> None:
    page = watch.page
    open_tab(page, "Annotate")
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")
    watch.inert(".an-question")
    watch.inert(".an-answer[data-side=left] .an-text")
    watch.inert(".an-answer[data-side=right] .an-text")
    watch.inert(".an-aspects")
    page.keyboard.press("l")
    watch.inert(".an-guidelines")
    page.keyboard.press("l")
    page.keyboard.press("d")
    page.wait_for_selector(".an-different")
    watch.inert(".an-answer .an-text")
    page.keyboard.press("t")
    watch.inert(".an-notice:has-text('because')")
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".an-verdict:has-text('Tie')")
    watch.inert(".an-answer .an-text")


def lead(watch: Watch) -> None:
    page = watch.page
    open_tab(page, "Team")
    watch.inert("#team-figures table")
    watch.inert("#team-figures .tm-bars")
    open_tab(page, "Decide")
    watch.inert(".tm-root .an-answer .an-text")
    watch.inert(".tm-votes td:has-text('comment')")
    page.wait_for_selector(".tm-root .an-work[data-seen]")
    with page.expect_response("**/team/decide"):
        page.keyboard.press("t")
    page.keyboard.press("ArrowLeft")
    watch.inert(".tm-root .tm-author")
    watch.inert(".tm-votes td:has-text('edit')")
    open_tab(page, "Log")
    watch.inert("#team-log")


def chat(watch: Watch) -> None:
    page = watch.page
    open_tab(page, "Chat")
    page.locator("#chat-question textarea").fill(HOSTILE)
    page.locator("#chat-send").click()
    watch.inert("#chat-answer .chat-said.user")
    watch.inert("#chat-answer .chat-said.model:not(.waiting)")


def look_at_a_run(watch: Watch) -> None:
    page = watch.page
    open_tab(page, "Runs")
    watch.inert("#run-list")
    page.locator("[data-run] >> text=run").first.click()
    watch.inert("#run-head")
    for folded, shown in (("Probes", "#run-probes"), ("Log", "#run-log")):
        page.locator("button.label-wrap", has_text=folded).filter(visible=True).first.click()
        watch.inert(shown)
