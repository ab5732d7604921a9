"""Every family: where earlier answers stand among the tokens, and prompts as chat has them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from studio.config.model import ModelConfig
from studio.data.schema import Message, Part
from studio.inference.chat_inputs import as_template_message, build_inputs
from studio.models.chat_template import fit_of
from studio.models.model_source import load_config, load_processor
from studio.training.multi_turn_loss import TurnCollator
from tests.families import build
from tests.families.matrix import TITLES

ONE_IMAGE = ("mllama",)
END = " Red.<end_of_utterance>\n"


def turn(role: str, text: str, images: int = 0) -> Message:
    return Message(role, (*(Part("image"),) * images, Part("text", text)))


@pytest.fixture(scope="module", params=sorted(TITLES))
def family(request, tmp_path_factory):
    """(name, processor, configuration) of a tiny model of the family."""
    model = ModelConfig(id=build.save(request.param, tmp_path_factory.mktemp("family") / "model"))
    return request.param, load_processor(model), load_config(model)


def conversation(name: str) -> tuple[list[Message], list[Image.Image]]:
    images = [Image.new("RGB", (64, 48), "red"), Image.new("RGB", (80, 64), "blue")]
    images = images[:1] if name in ONE_IMAGE else images
    return [
        turn("user", "What colour?", 1),
        turn("assistant", "Red."),
        turn("user", "And this?", len(images) - 1),
        turn("assistant", "Red."),
        turn("user", "Again?"),
    ], images


def example(name: str, scored: list[int]) -> dict:
    prompt, images = conversation(name)
    answer = turn("assistant", "Red.")
    return {
        "images": images,
        "prompt": [as_template_message(one) for one in prompt],
        "completion": [as_template_message(answer)],
        "scored": scored,
    }


@pytest.mark.parametrize("scored", [[1], [3], [1, 3]])
def test_earlier_answers_are_found_behind_and_between_images(family, scored):
    name, processor, _ = family
    if fit_of(processor).apart == "always":
        assert name == "paligemma", "it reads its prompt in both directions"
        return
    rows = [example(name, scored), example(name, [])]
    batch = TurnCollator(processor, completion_only_loss=True)(rows)
    for labels, runs in zip(batch["labels"], (len(scored) + 1, 1), strict=True):
        kept = labels != -100
        begins = kept & ~torch.cat([torch.zeros(1, dtype=torch.bool), kept[:-1]])
        assert int(begins.sum()) == runs
        assert processor.tokenizer.decode(labels[kept]) == END * runs
    assert torch.equal(batch["labels"][batch["labels"] != -100], _inputs(batch))


def _inputs(batch) -> torch.Tensor:
    return batch["input_ids"][batch["labels"] != -100]


def test_a_conversation_is_asked_in_chat_as_it_is_trained(family):
    name, processor, config = family
    messages, images = conversation(name)
    model = SimpleNamespace(config=config, device="cpu", dtype=torch.float32)
    asked = build_inputs(processor, model, messages, images)["input_ids"][0].tolist()
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    row = collate([example(name, [])])
    trained = row["input_ids"][0][row["labels"][0] == -100].tolist()
    assert asked == trained
