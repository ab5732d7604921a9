"""Token counts against TRL's own collators, and what the processor's formula is trusted with."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from PIL import Image
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.data.numbered_rows import source_rows
from studio.data.schema import BadRow
from studio.data.trl_conversion import training_dataset
from studio.data.trl_format import bare, prompt_messages
from studio.models import image_tokens
from studio.models.image_tokens import Expansions
from studio.models.model_source import load_processor
from studio.models.row_tokens import RowTokens, TokenCounter
from studio.models.template_rendering import Renderer
from studio.preflight.model_processor import open_model
from studio.preflight.model_view import sight_of
from tests.preflight.conftest import drawing, row, saved

SPLIT = {"longest_edge": 384, "split": True}


@pytest.fixture(scope="module")
def plain():
    return load_processor(ModelConfig())


@pytest.fixture(scope="module")
def tiled():
    return load_processor(ModelConfig(image=SPLIT))


def counted(processor, rows, store) -> list[RowTokens]:
    counter = TokenCounter(processor)
    for one in rows:
        counter.add(one, [store.open(sha).size for sha in one.images])
    assert list(counter.expand())
    return counter.rows()


def sample(spec: str, workspace, number: int) -> list:
    rows = [entry.row for entry in islice(source_rows(spec, workspace).entries(), number)]
    return [one for one in rows if not isinstance(one, BadRow)]


@pytest.mark.parametrize("split", [False, True])
def test_dpo_rows_have_as_many_tokens_as_trl_makes_of_them(split, plain, tiled, workspace, store):
    processor = tiled if split else plain
    rows = sample("embedded:preferences", workspace, 6)
    collate = DataCollatorForVisionPreference(processor)
    dataset = training_dataset(rows, "dpo", images=store).dataset
    for found, example in zip(counted(processor, rows, store), dataset, strict=True):
        batch = collate([example])
        answers = batch["completion_mask"].sum(1).tolist()
        assert found.total == batch["attention_mask"].sum(1).max()
        assert [found.chosen, found.rejected] == answers


@pytest.mark.parametrize("split", [False, True])
def test_sft_rows_too_and_the_image_ends_where_it_ends(split, plain, tiled, workspace, store):
    processor = tiled if split else plain
    rows = sample("embedded:sft", workspace, 4)
    collate = DataCollatorForVisionLanguageModeling(processor)
    dataset = training_dataset(rows, "sft", images=store).dataset
    for found, example in zip(counted(processor, rows, store), dataset, strict=True):
        batch = collate([example])
        ids = batch["input_ids"][0].tolist()
        assert found.total == len(ids)
        assert found.images >= 17 * 36 if split else found.images == 39
        after_image = ids[found.images_end :]
        assert processor.image_token_id not in after_image
        assert processor.image_token_id in ids[found.images_end - 2 :]


def test_several_images_of_different_sizes_add_up(tiled, store, workspace):
    shas = tuple(store.add(saved(drawing(n, size))) for n, size in enumerate([(300, 90), (96, 96)]))
    one = row("Compare.", images=2, completion="both")
    one = type(one)(**{**one.__dict__, "images": shas})
    collate = DataCollatorForVisionLanguageModeling(tiled)
    dataset = training_dataset([one], "sft", images=store).dataset
    (found,) = counted(tiled, [one], store)
    assert found.total == collate([dataset[0]])["input_ids"].shape[1]


def test_rows_without_images_and_answers_are_counted(plain, store):
    text, unanswered = counted_rows(plain, row("Just text", completion="fine"), row("No answer"))
    assert text.images == text.images_end == 0 and text.total > unanswered.total > 0


def counted_rows(processor, *rows) -> list[RowTokens]:
    counter = TokenCounter(processor)
    for one in rows:
        counter.add(one, [])
    list(counter.expand())
    return counter.rows()


def test_sizes_beyond_the_measured_ones_follow_the_formula_when_it_agrees(plain):
    uses = Counter({(1, (50 + n, 40)): 30 - n for n in range(25)})
    expansions = Expansions(plain)
    found = dict(expansions.of(uses))
    assert set(found) == set(uses) and expansions.measured == image_tokens.MEASURED
    assert {one.tokens for one in found.values()} == {39}
    assert {one.tiles for one in found.values()} == {1}


def test_an_enormous_image_is_put_through_only_when_there_is_no_formula(plain, monkeypatch):
    monkeypatch.setattr(image_tokens, "MOST_PIXELS", 10_000)
    uses = Counter({(1, (60, 40)): 1, (3, (90, 50)): 1, (1, (90, 50)): 1})
    expansions = Expansions(plain)
    assert {one.tokens for _, one in expansions.of(uses)} == {39} and expansions.measured == 2
    monkeypatch.setattr(Expansions, "_formula", lambda self, measured: None)
    expansions = Expansions(plain)
    assert set(dict(expansions.of(uses))) == set(uses) and expansions.measured == 3


def test_a_formula_that_is_wrong_once_is_not_trusted(plain, monkeypatch):
    honest = type(plain)._get_num_multimodal_tokens

    def wrong(self, image_sizes=None, **kwargs):
        found = honest(self, image_sizes=image_sizes, **kwargs)
        if image_sizes[0][1] > 70:
            found.num_image_tokens[0] += 1
        return found

    monkeypatch.setattr(type(plain), "_get_num_multimodal_tokens", wrong)
    uses = Counter({(1, (50 + n, 40)): 1 for n in range(25)})
    expansions = Expansions(plain)
    assert {one.tokens for _, one in expansions.of(uses)} == {39}
    assert expansions.measured == 25


def test_tiles_and_pixels_are_those_of_the_processor(tiled):
    found = Expansions(tiled).measure((1, (300, 100)))
    assert found.tiles == 4 * 2 + 1 and found.seen == (4 * 96, 2 * 96)


def test_a_processor_that_refuses_a_size_is_an_error_with_the_size(plain, monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("height must be larger than factor")

    monkeypatch.setattr(type(plain), "__call__", refuse)
    with pytest.raises(ModelError, match="1 × 3 pixels: height must be larger"):
        Expansions(plain).measure((1, (1, 3)))


@pytest.mark.parametrize("text", ["plain", " spaced \n", "{{ braces }} <b>", "", "\ue0000\ue001"])
def test_frames_write_what_the_template_writes(plain, text):
    renderer = Renderer(plain)
    for question in ["one", "two", text, *map(str, range(20)), text]:
        messages = bare(prompt_messages(row(question, images=1)))
        expected = plain.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert renderer.prompt(messages) == expected


def test_a_template_that_changes_texts_is_always_asked(plain):
    class Shouting:
        def apply_chat_template(self, messages, tokenize, add_generation_prompt):
            return "".join(part["text"].strip().upper() for part in messages[0]["content"])

    renderer = Renderer(Shouting())
    for text in ("a ", "b", " c"):
        message = {"role": "user", "content": [{"type": "text", "text": text}]}
        assert renderer.prompt([message]) == text.strip().upper()


def halves(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (200, 30, 40))
    image.paste((20, 60, 220), (size[0] // 2, 0, size[0], size[1]))
    return image


def close(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(pixel, colour, strict=True))


def test_one_tile_comes_back_as_the_picture_it_was(plain):
    seen = sight_of(plain, halves((300, 200)))
    assert (seen.tiles, seen.width, seen.height, seen.overview) == (1, 96, 96, None)
    assert close(seen.picture.getpixel((10, 50)), (200, 30, 40))
    assert close(seen.picture.getpixel((85, 50)), (20, 60, 220))


def test_tiles_lie_where_they_lay_in_the_image(tiled):
    seen = sight_of(tiled, halves((400, 200)))
    assert (seen.tiles, seen.width, seen.height) == (9, 384, 192)
    assert close(seen.picture.getpixel((10, 150)), (200, 30, 40))
    assert close(seen.picture.getpixel((seen.picture.width - 10, 10)), (20, 60, 220))
    assert seen.overview.size == (96, 96)
    assert close(seen.overview.getpixel((10, 10)), (200, 30, 40))


def test_flat_patches_are_put_together_again():
    from types import SimpleNamespace

    from transformers import Qwen2VLImageProcessor

    processor = SimpleNamespace(image_processor=Qwen2VLImageProcessor())
    image = halves((280, 140))
    image.paste((10, 200, 10), (0, 70, 140, 140))
    seen = sight_of(processor, image)
    assert (seen.tiles, seen.picture.size) == (1, (seen.width, seen.height))
    width, height = seen.picture.size
    assert width == 2 * height
    assert close(seen.picture.getpixel((20, 20)), (200, 30, 40))
    assert close(seen.picture.getpixel((20, height - 20)), (10, 200, 10))
    assert close(seen.picture.getpixel((width - 20, height - 20)), (20, 60, 220))


def test_a_maximum_length_names_the_rows_that_are_longer(workspace, check):
    model = open_model(ModelConfig())
    whole = check("embedded:preferences", model, split="train", limit=40)
    assert whole.tokens.images_median == 39 and 0.4 < whole.tokens.image_share < 0.8
    assert sum(one.rows for one in whole.tokens.histogram) == 40
    assert (whole.length_bias.pairs, whole.truncation.max_length) == (40, 8192)
    assert "too_long" not in {one.id for one in whole.findings}

    tight = check(
        "embedded:preferences", model, split="train", limit=40, max_length=whole.tokens.median
    )
    (cut,) = [one for one in tight.findings if one.id == "too_long"]
    assert cut.severity == "warning" and "leaves them out" in cut.message
    assert tight.truncation.rows == len(cut.rows) > 0
    assert tight.truncation.through_images == 0

    short = check("embedded:preferences", model, split="train", limit=40, max_length=20)
    (through,) = [one for one in short.findings if one.id == "too_long"]
    assert short.truncation.share == 1 and short.truncation.through_images == 40
    assert len(through.rows) == 40 and "in 40 rows the images alone fill them" in through.message


def test_special_tokens_are_those_of_the_model(write, check):
    spec = write(
        {"question": "What is <end_of_utterance>?", "answer": "a"},
        {"question": "What is <|vision_start|>?", "answer": "b"},
    )
    report = check(spec, open_model(ModelConfig()))
    (found,) = [one for one in report.findings if one.id == "special_tokens"]
    assert found.rows == [1]
