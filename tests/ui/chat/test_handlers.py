from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from studio.api.context import StudioContext
from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import InputError, ModelError, StudioError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.sources import open_source
from studio.inference.client import ChatModel, InferenceStatus
from studio.inference.protocol import ChatDelta, ChatRequest, said, user_turn
from studio.inference.sampling import Sampling
from studio.runs.event_log import EventLog
from studio.runs.store import RunStore
from studio.ui.chat import handlers as chat_handlers
from studio.ui.chat.handlers import ChatHandlers
from studio.ui.chat.models import EMBEDDED_KEY, choices, columns, find
from studio.ui.chat.samples import load_samples
from studio.ui.chat.state import ChatAnswer, ChatConversation
from studio.ui.chat.views import transcript

BASE = ChatModel("Embedded chart model", ModelConfig())
ADAPTER = ChatModel("Grounded · DPO", ModelConfig(), run="r1", system_prompt="Be brief.")
DEFAULTS = tuple(Sampling().model_dump().values())
DONE = ChatDelta(done=True, tokens=1, tokens_per_second=9.0, stopped="end")
QUESTION, NOTICE, SEND, STOP = 3, 4, 5, 6


class FakeInference:
    """Answers every request with its script and keeps what it was asked."""

    def __init__(self, *script: ChatDelta | StudioError) -> None:
        self.script = script
        self.asked: list[ChatRequest] = []
        self.closed = False

    def models(self) -> list[ChatModel]:
        return [BASE, ADAPTER]

    def training(self) -> None:
        return None

    def status(self) -> InferenceStatus:
        return InferenceStatus()

    def compare(
        self, requests: Sequence[ChatRequest]
    ) -> Iterator[tuple[int, ChatDelta | StudioError]]:
        self.asked = list(requests)
        try:
            for what in self.script:
                for number in range(len(requests)):
                    yield number, what
        finally:
            self.closed = True


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "chart.png"
    Image.new("RGB", (8, 8), "red").save(path)
    return str(path)


def handlers(tmp_path: Path, *script: ChatDelta | StudioError) -> ChatHandlers:
    workspace = Workspace.locate(tmp_path / "workspace")
    context = StudioContext(
        workspace=workspace,
        store=None,
        images=ImageStore(workspace),
        runs=RunStore(workspace),
        supervisor=None,
        planner=None,
        inference=FakeInference(*script),
    )
    return ChatHandlers(context, [])


def ask(
    chat: ChatHandlers,
    conversation: ChatConversation,
    question: str | None,
    images: list[str],
    key: str = EMBEDDED_KEY,
    compare: bool = False,
) -> list[tuple]:
    gallery = [(path, None) for path in images]
    return list(chat.ask(conversation, question, gallery, key, compare, "", *DEFAULTS))


def test_an_answer_is_asked_for_and_shown(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()

    first, *_, last = ask(chat, conversation, " Which? ", [image])

    assert first[QUESTION] == ""
    assert not first[SEND].visible
    assert first[STOP].visible
    [request] = chat.context.inference.asked
    assert request.messages == (user_turn("Which?", 1),)
    assert request.images == (chat.context.images.add(image),)
    assert "green" in last[2].value
    assert "1 token · 9.0 tokens/s" in last[2].value
    assert last[SEND].visible


def test_a_follow_up_carries_the_conversation_and_no_image_twice(
    tmp_path: Path, image: str
) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image])
    ask(chat, conversation, "And then?", [image])

    [request] = chat.context.inference.asked
    assert request.messages == (
        user_turn("Which?", 1),
        said("assistant", "green"),
        user_turn("And then?"),
    )
    assert len(request.images) == 1


def test_base_and_adapter_are_asked_the_same(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ChatDelta(text="x"), DONE)
    *_, last = ask(chat, ChatConversation(), "Which?", [image], "run:r1", compare=True)

    base, adapter = chat.context.inference.asked
    assert (base.run, adapter.run) == ("", "r1")
    assert base.messages == adapter.messages
    assert BASE.label in last[1].value
    assert ADAPTER.label in last[2].value


def test_an_error_is_shown_and_the_question_goes_back(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ModelError("No <b>luck</b>.", remedy="Try again."))
    conversation = ChatConversation()

    *_, last = ask(chat, conversation, "Which?", [image], "run:r1", compare=True)

    assert last[QUESTION] == "Which?"
    assert last[NOTICE].count("No &lt;b&gt;luck&lt;/b&gt;.") == 1
    assert "Try again." in last[NOTICE]
    assert conversation.turns == []


def test_a_question_that_fails_leaves_the_exchange_before_it_as_it_was(
    tmp_path: Path, image: str
) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image])
    chat.context.inference.script = (ModelError("Its weights are cut short.", remedy="Copy it."),)

    chosen = chat.show(conversation, "run:r1", False)
    *_, last = ask(chat, conversation, "Colour?", [image], "run:r1")

    assert "green" in chosen[2].value and f"{BASE.label} answered" in chosen[2].value
    assert last[QUESTION] == "Colour?" and "cut short" in last[NOTICE]
    assert f"<h3>{BASE.label}</h3>" in last[2].value and "green" in last[2].value
    assert ADAPTER.label not in last[2].value and "answered:" not in last[2].value


def test_where_one_of_two_fails_its_column_says_so(tmp_path: Path) -> None:
    conversation = ChatConversation(labels={"a": "Model <A>", "b": "B"})
    turn = conversation.begin("Which?", [], ["a", "b"])
    turn.answers["a"].take(ChatDelta(text="green"))
    assert "green" not in transcript(conversation, "b", "B"), "its own is still to come"
    turn.answers["b"].error = "No <b>room</b>."
    assert conversation.drop_empty() == ""
    said = transcript(conversation, "b", "B")
    assert "No answer. No &lt;b&gt;room" in said and "Model &lt;A&gt; answered:" in said


@pytest.mark.parametrize("question", [None, "  "])
def test_nothing_is_asked_without_a_question(tmp_path: Path, question: str | None) -> None:
    chat = handlers(tmp_path)
    [only] = ask(chat, ChatConversation(), question, [])

    assert "There is no question." in only[NOTICE]
    assert chat.context.inference.asked == []


def test_an_unreadable_image_is_refused_before_the_model_is_asked(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("<svg/>")
    chat = handlers(tmp_path)

    [only] = ask(chat, ChatConversation(), "Which?", [str(bad)])

    assert "not a PNG" in only[NOTICE]
    assert chat.context.inference.asked == []


@pytest.mark.parametrize("end", ["stop", "clear"])
def test_stop_and_clear_end_the_answer_and_the_generation(
    tmp_path: Path, image: str, end: str
) -> None:
    chat = handlers(tmp_path, *[ChatDelta(text="more ")] * 1000)
    conversation = ChatConversation()
    steps = chat.ask(conversation, "Which?", [(image, None)], EMBEDDED_KEY, False, "", *DEFAULTS)
    next(steps)
    getattr(chat, end)(conversation)

    *_, last = steps

    assert chat.context.inference.closed
    assert last[SEND].visible
    assert "more" not in last[2].value


def test_a_stopped_answer_keeps_what_has_come(tmp_path: Path) -> None:
    conversation = ChatConversation()
    turn = conversation.begin("Which?", [], ["k"])
    turn.answers["k"].take(ChatDelta(text="gre"))
    conversation.stop()

    assert not conversation.wants(turn)
    assert conversation.drop_empty() == ""
    assert conversation.stats("k") == "stopped"


def test_a_model_new_to_the_conversation_sees_what_the_other_said() -> None:
    conversation = ChatConversation()
    conversation.begin("One?", [], ["a"]).answers["a"] = ChatAnswer("from a", stats="done")
    conversation.begin("Two?", [], ["b"])

    assert conversation.messages("b", "Be brief.") == (
        said("system", "Be brief."),
        user_turn("One?"),
        said("assistant", "from a"),
        user_turn("Two?"),
    )


def test_nothing_a_model_says_becomes_markup() -> None:
    hostile = "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} ![t](http://x/t.png)"
    conversation = ChatConversation()
    conversation.begin(hostile, [], ["k"]).answers["k"].take(ChatDelta(text=hostile))

    page = transcript(conversation, "k", hostile)

    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 4


def test_choices_and_what_they_stand_for() -> None:
    models = [BASE, ADAPTER]

    assert choices(models)[1] == ("Grounded · DPO (adapter)", "run:r1")
    assert find(models, EMBEDDED_KEY) == BASE
    assert find(models, "org/SomeVLM").model.id == "org/SomeVLM"
    assert columns(models, "run:r1", True) == [BASE, ADAPTER]
    assert columns(models, EMBEDDED_KEY, True) == [BASE]
    for gone in ("run:r9", "", None):
        with pytest.raises(InputError):
            find(models, gone)


def test_samples_come_with_an_image_and_a_question() -> None:
    samples = load_samples()

    assert samples
    assert all(sample.shown.is_file() and sample.question for sample in samples)
    assert load_samples(Path("absent.jsonl")) == []


@pytest.mark.parametrize(
    ("tokens", "stopped", "said"),
    [
        (0, "end", "ended its answer at once (0 tokens)"),
        (1, "end", "wrote 1 token of which nothing can be seen"),
        (
            256,
            "length",
            "wrote 256 tokens of which nothing can be seen (blanks, special tokens), up",
        ),
    ],
)
def test_an_empty_answer_is_shown_as_such(
    tmp_path: Path, image: str, tokens: int, stopped: str, said: str
) -> None:
    done = ChatDelta(done=True, tokens=tokens, tokens_per_second=9.0, stopped=stopped)
    chat = handlers(tmp_path, ChatDelta(text=" \n"), done)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image], "run:r1", compare=True)
    assert len(conversation.turns) == 1, "it was answered, with nothing"
    shown = transcript(conversation, "run:r1", "Grounded")
    assert "(empty answer)" in shown and said in shown
    assert "(empty answer)" in transcript(conversation, EMBEDDED_KEY, "Base")
    ask(chat, conversation, "And then?", [], "run:r1")
    assert transcript(conversation, "run:r1", "Grounded").count(said) == 2, "earlier ones too"


def test_a_stopped_answer_is_not_called_empty(tmp_path: Path, image: str) -> None:
    stopped = ChatDelta(done=True, tokens=0, tokens_per_second=0.0, stopped="cancelled")
    chat = handlers(tmp_path, stopped)
    conversation = ChatConversation()
    *_, last = ask(chat, conversation, "Which?", [image])
    assert conversation.turns == [] and last[QUESTION] == "Which?"


def trained(chat: ChatHandlers, image: str, **data: str) -> str:
    """A run with two probes, of which training changed the second, that can be chatted with."""
    sha = chat.context.images.add(image)
    run = chat.context.runs.create(run_file.parse({"name": "mine", "data": data}))
    log = EventLog(run.paths.events)
    asked = [("Kept?", "yes"), ("Colour?", "no idea"), ("Without an image?", "x")]
    rows = [{"question": q, "images": [sha], "base": base} for q, base in asked]
    rows[-1]["images"] = []
    log.append("probe_rows", rows=rows)
    log.append("probe", step=5, answers=["yes", "green", "x"])
    chat.context.inference.models = lambda: [
        BASE,
        ChatModel("Mine · SFT", ModelConfig(), run=run.run_id),
    ]
    return run.run_id


@pytest.fixture
def shown_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are shown from where they lie: there is no page whose cache could take them."""
    monkeypatch.setattr(chat_handlers, "cached", str)


@pytest.mark.usefixtures("shown_files")
def test_coming_from_a_run_compares_it_and_asks_what_it_changed(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path)
    run_id = trained(chat, image, source="/nowhere")
    original = str(chat.context.images.path(chat.context.images.add(image)))

    model, compare, images, question = chat.follow_link((run_id, 1), "", [])
    assert model.value == f"run:{run_id}"
    assert compare.value is True and compare.interactive
    assert question == "Colour?" and images == [original], "the answer that changed comes first"

    typed = chat.follow_link((run_id, 2), "My own question", [])
    assert typed[1].value is True and typed[2:] == (gr.skip(), gr.skip()), "what is typed stays"
    assert chat.follow_link(("gone", 3), "", []) == (gr.skip(),) * 4


@pytest.mark.usefixtures("shown_files")
def test_a_runs_own_questions_come_before_the_charts_of_the_studio(
    tmp_path: Path, image: str
) -> None:
    built_in = load_samples()
    chat = ChatHandlers(handlers(tmp_path).context, built_in)
    run_id = trained(chat, image, source="embedded:preferences", evaluation="evaluation")

    _, _, offered, gallery, note = chat.choose(f"run:{run_id}")
    own = [sample for sample in offered if sample.own]
    assert [sample.question for sample in own[:2]] == ["Colour?", "Kept?"]
    assert len(own) == 8 and offered[8:] == built_in
    assert len(gallery.value) == len(offered)
    assert "first 8 questions are this run's own" in note
    evaluated = open_source(
        "embedded:preferences", split="evaluation", workspace=chat.context.workspace
    )
    assert own[2].question == evaluated.preview(1).rows[0].question

    conversation = ChatConversation()
    conversation.begin("Old?", [], ["k"])
    event = gr.EventData(None, {"index": 0})
    images, question, kept = chat.pick_sample(conversation, offered, event)
    assert question == "Colour?" and Path(images[0]).is_file() and kept.turns == []

    _, _, offered, gallery, note = chat.choose(EMBEDDED_KEY)
    assert offered == built_in and note == ""


def test_questions_whose_images_are_gone_are_left_out(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path)
    run_id = trained(chat, image, source="exports/gone")
    chat.context.images.path(chat.context.images.add(image)).unlink()
    assert chat.offered(run_id) == []


@pytest.mark.parametrize("name", ["a" * 300, "\x00", "a\x00b"])
def test_a_name_that_no_model_can_have_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError) as told:
        find([], name)
    assert told.value.field == "model" and "pydantic" not in str(told.value)
