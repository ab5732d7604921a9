import json
import threading
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from studio.config.model import ModelConfig
from studio.core.errors import BusyError, ModelError
from studio.data.schema import Message
from studio.inference.answer_batch import AnswerBatch
from studio.inference.chat_inputs import as_template_message
from studio.inference.engine import Engine
from studio.inference.protocol import ChatDelta, user_turn
from studio.inference.sampling import Sampling
from studio.models.load import load_model

WEIGHTS = "adapter_model.safetensors"


QUESTION = (user_turn("Read out the data.", 1),)


def ask(
    engine: Engine,
    image: Image.Image,
    adapter: Path | None = None,
    messages: tuple[Message, ...] = QUESTION,
    **sampling: float,
) -> str:
    deltas = engine.chat(ModelConfig(), adapter, messages, [image], Sampling(**sampling))
    return "".join(delta.text for delta in deltas)


def plain_greedy(image: Image.Image, question=QUESTION, limit: int = 32) -> str:
    """What transformers answers by itself, without any of the engine."""
    loaded = load_model(ModelConfig())
    text = loaded.processor.apply_chat_template(
        [as_template_message(message) for message in question], add_generation_prompt=True
    )
    inputs = loaded.processor(text=[text], images=[[image]], return_tensors="pt")
    stop = loaded.processor.tokenizer.convert_tokens_to_ids("<end_of_utterance>")
    ids = loaded.model.generate(
        **inputs, max_new_tokens=limit, do_sample=False, eos_token_id=[stop]
    )
    answer = ids[0, inputs["input_ids"].shape[1] :]
    return loaded.processor.tokenizer.decode(answer, skip_special_tokens=True).strip()


def test_the_adapter_changes_the_answer_and_the_base_stays_exact(
    engine: Engine, image: Image.Image, adapter: Path
) -> None:
    before = ask(engine, image, max_new_tokens=24)
    adapted = ask(engine, image, adapter, max_new_tokens=24)
    after = ask(engine, image, max_new_tokens=24)

    assert adapted != before
    assert after == before
    assert adapter in engine.adapters


def test_answers_at_the_same_time_are_those_given_alone(
    engine: Engine, image: Image.Image, adapter: Path
) -> None:
    settings = {"max_new_tokens": 24, "temperature": 0.9, "seed": 3}
    alone = [ask(engine, image, None, **settings), ask(engine, image, adapter, **settings)]
    together = ["", ""]

    def answer(number: int, folder: Path | None) -> None:
        together[number] = ask(engine, image, folder, **settings)

    threads = [
        threading.Thread(target=answer, args=(number, folder))
        for number, folder in enumerate((None, adapter))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert together == alone


def test_cancelling_ends_between_tokens(engine: Engine, image: Image.Image) -> None:
    cancelled = threading.Event()
    deltas: list[ChatDelta] = []
    for delta in engine.chat(ModelConfig(), None, QUESTION, [image], Sampling(), cancelled):
        deltas.append(delta)
        cancelled.set()

    assert deltas[-1].stopped == "cancelled"
    assert deltas[-1].tokens < len(plain_greedy(image))
    assert engine.answering == 0


def test_a_dropped_answer_frees_the_model(engine: Engine, image: Image.Image) -> None:
    answer = engine.chat(ModelConfig(), None, QUESTION, [image], Sampling())
    next(delta for delta in answer if delta.text)
    with pytest.raises(BusyError):
        engine.unload()
    answer.close()

    assert engine.answering == 0
    assert ask(engine, image, max_new_tokens=4)


def test_a_pickled_adapter_is_refused(engine: Engine, image: Image.Image, adapter: Path) -> None:
    torch.save(load_file(adapter / WEIGHTS), adapter / "adapter_model.bin")
    (adapter / WEIGHTS).unlink()

    with pytest.raises(ModelError, match="pickled"):
        ask(engine, image, adapter)


def test_a_truncated_adapter_is_refused_and_the_rest_works(
    engine: Engine, image: Image.Image, adapter: Path, trained: Path
) -> None:
    base = ask(engine, image, max_new_tokens=24)
    content = (adapter / WEIGHTS).read_bytes()
    (adapter / WEIGHTS).write_bytes(content[: len(content) // 2])

    with pytest.raises(ModelError, match="damaged"):
        ask(engine, image, adapter)

    assert ask(engine, image, max_new_tokens=24) == base
    assert ask(engine, image, trained, max_new_tokens=24) != base


@pytest.mark.parametrize("wrong", ["name", "modules", "shapes"])
def test_an_adapter_of_another_base_is_refused(
    engine: Engine, image: Image.Image, adapter: Path, wrong: str
) -> None:
    base = ask(engine, image, max_new_tokens=24)
    weights = load_file(adapter / WEIGHTS)
    if wrong == "name":
        described = json.loads((adapter / "adapter_config.json").read_text())
        described["base_model_name_or_path"] = "org/another-model"
        (adapter / "adapter_config.json").write_text(json.dumps(described))
    elif wrong == "modules":
        weights = {key.replace("text_model", "decoder"): value for key, value in weights.items()}
    else:
        weights = {
            key: torch.cat([value, value], dim=-1) if "lora_A" in key else value
            for key, value in weights.items()
        }
    save_file(weights, adapter / WEIGHTS)

    with pytest.raises(ModelError, match="does not fit"):
        ask(engine, image, adapter)
    assert ask(engine, image, max_new_tokens=24) == base


def test_a_retrained_adapter_is_read_again(
    engine: Engine, image: Image.Image, adapter: Path
) -> None:
    base = ask(engine, image, max_new_tokens=24)
    assert ask(engine, image, adapter, max_new_tokens=24) != base
    silent = {key: torch.zeros_like(value) for key, value in load_file(adapter / WEIGHTS).items()}
    save_file(silent, adapter / WEIGHTS)
    (adapter / "complete.json").write_text('{"kind": "adapter", "step": 2}')

    assert ask(engine, image, adapter, max_new_tokens=24) == base


def test_another_base_takes_the_place_of_the_first(image: Image.Image) -> None:
    engine = Engine()
    engine.load(ModelConfig())
    other = ModelConfig(dtype="bfloat16")

    deltas = list(engine.chat(other, None, QUESTION, [image], Sampling(max_new_tokens=4)))

    assert deltas[0].stage == "Loading embedded"
    assert engine.loaded == other
    engine.unload()
    assert engine.loaded is None


def test_an_adapter_answers_on_a_four_bit_base(image: Image.Image, adapter: Path) -> None:
    engine = Engine()
    four_bit = ModelConfig(quantization="nf4")

    def answer(folder: Path | None) -> str:
        settings = Sampling(max_new_tokens=16)
        deltas = engine.chat(four_bit, folder, QUESTION, [image], settings)
        return "".join(delta.text for delta in deltas)

    base = answer(None)
    assert answer(adapter) != base
    assert answer(None) == base != ""


def test_a_model_that_is_not_there_is_refused(image: Image.Image, tmp_path: Path) -> None:
    engine = Engine()
    with pytest.raises(ModelError, match="holds no model"):
        engine.load(ModelConfig(id=str(tmp_path)))
    assert engine.loaded is None


CPU_SHORT = (
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 9 bytes."
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), "CUDA out of memory"),
        (RuntimeError(CPU_SHORT), "DefaultCPUAllocator: can't allocate memory"),
        (MemoryError(), "MemoryError"),
    ],
    ids=["gpu", "cpu", "python"],
)
def test_an_answer_that_runs_out_of_memory_says_so_and_the_next_one_comes(
    engine: Engine, image, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def answer() -> str:
        question = (user_turn("How many bars are there?", 1),)
        deltas = engine.chat(ModelConfig(), None, question, [image], Sampling())
        return "".join(delta.text for delta in deltas)

    def failing(error: Exception):
        def fail(_) -> None:
            raise error

        return fail

    with monkeypatch.context() as patched:
        patched.setattr(AnswerBatch, "stream", failing(error))
        with pytest.raises(BusyError, match=f"Memory ran out with embedded: {told}"):
            answer()
        patched.setattr(AnswerBatch, "stream", failing(RuntimeError("shapes do not match")))
        with pytest.raises(RuntimeError, match="shapes"):
            answer()
    assert answer()


def test_what_the_adapter_changed_is_told_piece_by_piece(
    engine: Engine, image: Image.Image, trained: Path
) -> None:
    asked = [user_turn("Which?", 1)]
    pieces = engine.changes(ModelConfig(), trained, asked, [image], "the green bar")

    assert "".join(text for text, _ in pieces) == "the green bar"
    assert any(abs(change) > 1e-3 for _, change in pieces), "random weights change something"
    again = engine.changes(ModelConfig(), trained, asked, [image], "the green bar")
    assert again == pieces, "the adapter is on and off again each time"
