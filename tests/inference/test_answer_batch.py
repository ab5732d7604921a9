"""Answers in one batch are those that `generate` writes for each column alone."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.errors import InputError, StudioError
from studio.core.paths import write_json
from studio.inference.answer_batch import BatchedAnswers, Column
from studio.inference.engine import Engine
from studio.inference.protocol import ChatDelta, said, user_turn
from studio.inference.sampling import Sampling
from studio.models.answering.decoder import Decoder
from studio.models.load import load_model
from studio.runs.checkpoints import MARKER
from tests.inference.conftest import TARGETS

SHORT = (user_turn("Read out the data.", 1),)
LONG = (*SHORT, said("assistant", "a is 3, b is 7"), user_turn("Which bar is the highest one?"))
IN_TURN = "Answers are written in turn"


def told(
    engine: Engine, columns: list[Column], model: ModelConfig | None = None
) -> tuple[list[str], list[ChatDelta | StudioError]]:
    """The text of each column, and what it ended with."""
    texts: list[str] = [""] * len(columns)
    last: list[ChatDelta | StudioError] = [ChatDelta()] * len(columns)
    for number, what in engine.compare(model or ModelConfig(), columns):
        last[number] = what
        if isinstance(what, ChatDelta):
            texts[number] += what.text
    return texts, last


def alone(monkeypatch: pytest.MonkeyPatch, engine: Engine, columns: list[Column], model=None):
    """The same columns one after the other, each by a `generate` of its own."""
    with monkeypatch.context() as patched:
        patched.setattr(BatchedAnswers, "begin", lambda self, columns: None)
        return [told(engine, [afresh(column)], model)[0][0] for column in columns]


def afresh(column: Column) -> Column:
    return replace(column, cancelled=threading.Event())


def adapter_in(folder: Path, seed: int, **settings: object) -> Path:
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=64, init_lora_weights=False, **settings)
    model = get_peft_model(load_model(ModelConfig()).model, config)
    if "modules_to_save" in settings:
        for name, weight in model.named_parameters():
            if "modules_to_save" in name:
                weight.data.add_(0.05 * torch.randn_like(weight))
    model.save_pretrained(folder)
    write_json(folder / MARKER, {"kind": "adapter", "base": "embedded"})
    return folder


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_in(tmp_path_factory.mktemp("second") / "adapter", 11, target_modules=TARGETS)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new_tokens=24),
        Sampling(max_new_tokens=20, temperature=0.9, top_p=0.9, top_k=30, seed=3),
        Sampling(max_new_tokens=20, repetition_penalty=1.3),
    ],
    ids=["greedy", "drawn", "penalty"],
)
def test_a_batch_says_what_each_column_says_alone(
    engine: Engine,
    image: Image.Image,
    trained: Path,
    second: Path,
    sampling: Sampling,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    columns = [
        Column(folder, messages, [image], sampling)
        for folder, messages in ((None, SHORT), (trained, LONG), (second, SHORT), (None, LONG))
    ]
    expected = alone(monkeypatch, engine, columns)

    with caplog.at_level(logging.INFO, "studio.inference"):
        texts, last = told(engine, columns)

    assert texts == expected
    assert len(set(texts)) > 2
    assert all(isinstance(end, ChatDelta) and end.done for end in last)
    assert IN_TURN not in caplog.text


def test_a_stopped_column_leaves_and_the_other_goes_on(
    engine: Engine, image: Image.Image, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [Column(folder, SHORT, [image], Sampling()) for folder in (None, second)]
    expected = alone(monkeypatch, engine, [Column(second, SHORT, [image], Sampling())])
    sizes: list[int] = []
    texts, ended = ["", ""], {}
    inner = engine.compare(ModelConfig(), columns)
    for number, what in inner:
        assert isinstance(what, ChatDelta)
        texts[number] += what.text
        if number == 0 and what.text:
            columns[0].cancelled.set()
        if what.done:
            ended[number] = what
            sizes.append(what.tokens)

    assert ended[0].stopped == "cancelled"
    assert ended[0].tokens < 5 < ended[1].tokens
    assert texts[1] == expected[0]


def test_a_column_stopped_before_its_turn_is_not_read(
    engine: Engine, image: Image.Image, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        Column(folder, SHORT, [image], Sampling(max_new_tokens=8)) for folder in (None, second)
    ]
    expected = alone(monkeypatch, engine, columns[1:])
    columns[0].cancelled.set()
    read: list[int] = []
    begin = Decoder.begin
    monkeypatch.setattr(
        Decoder, "begin", lambda self, rows: read.append(len(rows)) or begin(self, rows)
    )

    texts, last = told(engine, columns)

    assert read == [1]
    assert texts == ["", expected[0]]
    assert last[0] == ChatDelta(done=True, stopped="cancelled")


def test_others_may_use_the_model_between_two_tokens(
    engine: Engine, image: Image.Image, trained: Path, second: Path, monkeypatch
) -> None:
    columns = [Column(folder, SHORT, [image], Sampling()) for folder in (None, trained)]
    other = [Column(second, LONG, [image], Sampling(max_new_tokens=12))]
    expected = alone(monkeypatch, engine, [*columns, *other])
    texts = ["", "", ""]
    for number, what in engine.compare(ModelConfig(), columns):
        texts[number] += what.text  # type: ignore[union-attr]
        if not texts[2]:
            texts[2] = told(engine, other)[0][0]

    assert texts == expected


def test_a_refused_column_ends_alone(engine: Engine, image: Image.Image, tmp_path: Path) -> None:
    sampling = Sampling(max_new_tokens=6)
    long = (user_turn("word " * 3000, 1),)
    columns = [
        Column(tmp_path / "gone", SHORT, [image], sampling),
        Column(None, SHORT, [image], sampling),
        Column(None, long, [image], sampling),
        Column(None, SHORT, [], sampling),
    ]
    texts, last = told(engine, columns)

    assert [isinstance(end, StudioError) for end in last] == [True, False, True, True]
    assert texts[1]
    assert "tokens; the model takes" in str(last[2])
    assert isinstance(last[3], InputError)


KINDS: Mapping[str, dict[str, object]] = {
    "dora": {"target_modules": TARGETS, "use_dora": True},
    "whole modules": {"target_modules": TARGETS, "modules_to_save": ["lm_head"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_that_do_not_mix_answer_in_turn(
    kind: str, image: Image.Image, tmp_path: Path, monkeypatch, caplog
) -> None:
    engine = Engine()
    folder = adapter_in(tmp_path / "run" / "adapter", 5, **KINDS[kind])
    columns = [
        Column(adapter, SHORT, [image], Sampling(max_new_tokens=12)) for adapter in (None, folder)
    ]
    expected = alone(monkeypatch, engine, columns)
    with caplog.at_level(logging.INFO, "studio.inference"):
        texts, _ = told(engine, [afresh(column) for column in columns])

    assert texts == expected
    assert texts[0] != texts[1]
    assert IN_TURN in caplog.text


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_a_quantized_base_answers_in_one_batch(
    quantization: str, image: Image.Image, trained: Path, monkeypatch, caplog
) -> None:
    engine, model = Engine(), ModelConfig(quantization=quantization)
    columns = [
        Column(folder, SHORT, [image], Sampling(max_new_tokens=12)) for folder in (None, trained)
    ]
    expected = alone(monkeypatch, engine, columns, model)
    with caplog.at_level(logging.INFO, "studio.inference"):
        texts, _ = told(engine, [afresh(column) for column in columns], model)

    assert texts == expected
    assert IN_TURN not in caplog.text


def test_an_adapter_on_the_vision_tower_has_features_of_its_own(
    image: Image.Image, tmp_path: Path, monkeypatch, caplog
) -> None:
    engine = Engine()
    targets = r".*vision_model.*(q_proj|v_proj)|.*text_model.*q_proj"
    folder = adapter_in(tmp_path / "run" / "adapter", 5, target_modules=targets)
    columns = [
        Column(adapter, SHORT, [image], Sampling(max_new_tokens=16)) for adapter in (None, folder)
    ]
    expected = alone(monkeypatch, engine, columns)
    with caplog.at_level(logging.INFO, "studio.inference"):
        texts, _ = told(engine, [afresh(column) for column in columns])

    assert texts == expected
    assert texts[0] != texts[1]
    assert IN_TURN not in caplog.text


def test_memory_too_small_for_a_batch_is_enough_in_turn(
    engine: Engine, image: Image.Image, second: Path, monkeypatch
) -> None:
    def short(self, groups) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB")

    monkeypatch.setattr(Decoder, "begin", short)
    columns = [
        Column(folder, SHORT, [image], Sampling(max_new_tokens=12)) for folder in (None, second)
    ]
    texts, _ = told(engine, columns)

    assert all(texts)


def test_a_batch_stopped_before_it_began_says_so(engine: Engine, image: Image.Image) -> None:
    stopped = threading.Event()
    stopped.set()
    _, last = told(engine, [Column(None, SHORT, [image], Sampling(), cancelled=stopped)])

    assert isinstance(last[0], ChatDelta)
    assert (last[0].stopped, last[0].tokens) == ("cancelled", 0)
