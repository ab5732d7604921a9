import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker
from studio.core.errors import BusyError, ModelError, RunFailedError
from studio.core.paths import Workspace, write_json
from studio.inference.client import InferenceClient
from studio.inference.protocol import ChatDelta, ChatRequest, user_turn
from studio.runs.checkpoints import MARKER
from studio.runs.status import update_status
from studio.runs.store import RunStore

FAKE = Path(__file__).with_name("fake_inference.py")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def worker(tmp_path: Path) -> PipeWorker:
    return PipeWorker([str(FAKE)], tmp_path / "inference.log", command=[sys.executable])


@pytest.fixture
def client(workspace: Workspace, worker: PipeWorker):
    client = InferenceClient(workspace, worker=worker)
    yield client
    client.close()


def ask(text: str, run: str = "") -> ChatRequest:
    return ChatRequest(messages=(user_turn(text),), run=run)


def text_of(deltas: list[ChatDelta]) -> str:
    return "".join(delta.text for delta in deltas)


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def finished_run(workspace: Workspace, name: str, model: ModelConfig) -> str:
    run = RunStore(workspace).create(RunConfig(name=name, model=model))
    write_json(run.paths.adapter / MARKER, {"kind": "adapter"})
    update_status(run.paths, state="finished")
    return run.run_id


def test_an_answer_streams_and_ends_with_its_speed(client: InferenceClient) -> None:
    deltas = list(client.chat(ask("hello", run="r1")))

    assert deltas[0].stage == "Starting the model process"
    assert text_of(deltas) == "r1 says hello"
    assert (deltas[-1].done, deltas[-1].tokens, deltas[-1].stopped) == (True, 3, "end")


def test_compared_answers_keep_apart(client: InferenceClient) -> None:
    texts = {0: "", 1: ""}
    for number, delta in client.compare([ask("hi"), ask("hi", run="r2")]):
        texts[number] += delta.text

    assert texts == {0: "base says hi", 1: "r2 says hi"}


def test_an_error_ends_only_its_own_answer(client: InferenceClient) -> None:
    arrived = list(client.compare([ask("refuse"), ask("hi")]))

    [error] = [what for number, what in arrived if number == 0 and isinstance(what, ModelError)]
    assert error.remedy == "Ask something else."
    assert text_of([what for number, what in arrived if number == 1]) == "base says hi"


def test_dropping_the_answer_cancels_the_generation(
    client: InferenceClient, worker: PipeWorker
) -> None:
    answers = client.compare([ask("forever")])
    assert any(delta.text == "more " for _, delta in answers)
    answers.close()

    assert wait_for(lambda: "cancelled" in worker.log.read_text())
    assert text_of(list(client.chat(ask("again")))) == "base says again"


def test_one_answer_of_several_is_stopped_alone(
    client: InferenceClient, worker: PipeWorker
) -> None:
    begun: set[int] = set()
    texts = {0: "", 1: ""}
    for number, delta in client.compare([ask("forever"), ask("hi", run="r2")], begun.__contains__):
        texts[number] += delta.text
        begun |= {0} if delta.text else set()

    assert texts[1] == "r2 says hi"
    assert worker.log.read_text().count("cancelled") == 1


def test_unloading_is_refused_while_somebody_is_answered(client: InferenceClient) -> None:
    answer = client.chat(ask("forever"))
    next(delta for delta in answer if delta.text)
    with pytest.raises(BusyError, match="answering"):
        client.unload()
    answer.close()

    client.unload()
    assert not client.status().running


def test_a_dead_child_is_explained_and_the_next_question_starts_another(
    client: InferenceClient,
) -> None:
    with pytest.raises(RunFailedError, match="the end"):
        list(client.chat(ask("die")))

    assert text_of(list(client.chat(ask("hi")))) == "base says hi"


def test_status_does_not_start_the_child_and_load_does(
    client: InferenceClient, worker: PipeWorker
) -> None:
    assert not client.status().running
    assert not worker.alive

    status = client.load(ModelConfig(), "r3")
    assert (status.running, status.adapters, status.resident) == (True, ("r3",), 123)
    assert status.model == ModelConfig()


def test_an_idle_child_is_ended(workspace: Workspace, worker: PipeWorker) -> None:
    client = InferenceClient(workspace, idle_minutes=0.001, worker=worker)
    list(client.chat(ask("hi")))

    assert wait_for(lambda: not worker.alive)


def test_models_are_the_embedded_one_other_bases_and_finished_adapters(
    client: InferenceClient, workspace: Workspace
) -> None:
    other = ModelConfig(id="org/SmolVLM-Instruct", quantization="nf4")
    first = finished_run(workspace, "first", ModelConfig())
    second = finished_run(workspace, "second", other)
    RunStore(workspace).create(RunConfig(name="unfinished"))

    models = client.models()

    assert [model.label for model in models[:2]] == [
        "Embedded chart model",
        "SmolVLM-Instruct · NF4",
    ]
    assert models[1].model == other
    assert {model.run for model in models[2:]} == {first, second}


def test_a_run_with_a_damaged_run_file_is_left_out(
    client: InferenceClient, workspace: Workspace
) -> None:
    run_id = finished_run(workspace, "first", ModelConfig())
    workspace.run(run_id).config.write_text("method: [")

    assert [model.run for model in client.models()] == [""]


def test_training_names_the_active_run(client: InferenceClient, workspace: Workspace) -> None:
    assert client.training() is None
    run = RunStore(workspace).create(RunConfig(name="busy"))
    me = psutil.Process()
    update_status(run.paths, state="running", pid=me.pid, pid_started=me.create_time())

    assert client.training().run_id == run.run_id
