"""Text as it is made."""

from pathlib import Path

from PIL import Image

from studio.config.model import ModelConfig
from studio.data.schema import Message
from studio.inference.chat_inputs import as_template_message
from studio.inference.engine import Engine
from studio.inference.protocol import user_turn
from studio.inference.sampling import Sampling
from studio.models.load import load_model

QUESTION = (user_turn("Read out the data.", 1),)


ENDING = (user_turn("Describe the chart in one line.", 1),)


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


def test_streamed_text_is_what_generate_gives(engine: Engine, image: Image.Image) -> None:
    expected = plain_greedy(image, ENDING)

    deltas = list(engine.chat(ModelConfig(), None, ENDING, [image], Sampling(max_new_tokens=32)))

    assert "".join(delta.text for delta in deltas) == expected != ""
    assert len([delta for delta in deltas if delta.text]) > 1
    last = deltas[-1]
    assert (last.done, last.stopped) == (True, "end")
    assert 0 < last.tokens <= 32
    assert last.tokens_per_second > 0


def test_the_seed_decides_a_sampled_answer(engine: Engine, image: Image.Image) -> None:
    hot = {"temperature": 2.0, "max_new_tokens": 16}

    assert ask(engine, image, seed=1, **hot) == ask(engine, image, seed=1, **hot)
    assert ask(engine, image, seed=1, **hot) != ask(engine, image, seed=2, **hot)


def test_the_answer_is_cut_at_its_limit(engine: Engine, image: Image.Image) -> None:
    *_, last = engine.chat(ModelConfig(), None, QUESTION, [image], Sampling(max_new_tokens=2))

    assert (last.tokens, last.stopped) == (2, "length")
