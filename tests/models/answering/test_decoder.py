"""The decoder on tiny models of other families: three-axis positions, other processors and towers."""

import pytest

from studio.config.model import ModelConfig
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.models.load import load_model
from tests.models.answering.asked import BASE, Asked, row, texts
from tests.models.answering.pictures import picture
from tests.training.tiny_families import save_sharp

SHARED = (
    "llava",
    "pixtral",
    "llava_next",
    "llava_onevision",
    "mistral3",
    "internvl",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "ovis2",
    "glm4v",
    "vipllava",
    "aya_vision",
    "deepseek_vl",
    "lighton_ocr",
)
PLAIN = ("gemma3", "gemma4", "paligemma", "idefics2", "qwen3_5", "lfm2_vl", "mllama")
SIZES = ((40, 24), (16, 48), (32, 32))


@pytest.fixture
def of(tmp_path):
    """A tiny model of a family, and rows about images of three shapes."""

    def made(family: str):
        config = ModelConfig(id=save_sharp(family, tmp_path / family))
        store = ImageStore(Workspace.locate(tmp_path / "workspace"))
        shas = [store.add(picture(number, size)) for number, size in enumerate(SIZES)]
        rows = [row([sha], text) for sha in shas for text in ("What?", "How many are there here?")]
        rows += [row([shas[0]], "Who?"), row(shas[:2], "One:", "Two?")]
        rows += [] if family == "paligemma" else [row([], "Hello?")]
        return Asked(load_model(config), store, config), rows

    return made


@pytest.mark.parametrize("family", SHARED)
def test_families_answer_as_singly(of, family):
    asked, rows = of(family)
    answering = asked.answering(max_new_tokens=8, batch_size=4)
    found = answering.answers(rows, BASE)
    assert not answering.obstacle and answering.encoded == len(SIZES)
    wanted = asked.singly(rows, 8)
    assert texts(found.by_name["base"]) == wanted
    assert len(set(wanted)) > 2


@pytest.mark.parametrize("family", PLAIN)
def test_other_families_go_through_generate_and_it_is_said(of, family):
    asked, rows = of(family)
    found = asked.answering(max_new_tokens=8, batch_size=4).answers(rows, BASE)
    assert texts(found.by_name["base"]) == asked.singly(rows, 8)
    assert "for each question anew" in found.notes[0]
