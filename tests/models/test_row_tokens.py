"""Token counts against TRL's own collators, and what the processor's formula is trusted with."""

from __future__ import annotations

from itertools import islice

import pytest
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from studio.config.model import ModelConfig
from studio.data.checked_rows import source_rows
from studio.data.schema import BadRow
from studio.data.trl_conversion import training_dataset
from studio.models.model_source import load_processor
from studio.models.row_tokens import RowTokens, TokenCounter
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
