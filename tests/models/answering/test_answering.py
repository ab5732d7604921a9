"""Many rows answered at once: the same answers, less work, and nothing that ends the evaluation."""

import shutil

import pytest
import torch
from peft import PeftModel

from studio.config.model import ModelConfig
from studio.core.errors import InputError, ModelError
from studio.data.image_store import ImageStore
from studio.models.answering import image_bank
from studio.models.answering.decoder import Decoder
from studio.models.answering.settings import AnswerSettings, Contestant
from studio.models.load import load_model
from tests.adapter_folders import reweigh
from tests.models.answering.asked import BASE, Asked, mixed, row, texts


@pytest.mark.parametrize("size", [1, 3, 16])
def test_answers_are_those_of_single_calls_in_order(asked, charts, size):
    rows = mixed(charts)
    found = asked.answering(batch_size=size).answers(rows, BASE)
    wanted = asked.ids(rows)
    assert texts(found.by_name["base"]) == [asked.text(ids) for ids in wanted]
    ends = {asked.loaded.processor.tokenizer.eos_token_id}
    lengths = [len([token for token in ids if token not in ends]) for ids in wanted]
    assert [entry.tokens for entry in found.by_name["base"]] == lengths
    assert not found.stopped and not found.notes and found.known == 0


def test_an_answer_is_cut_at_its_longest_length_and_says_so(asked, charts):
    rows = [
        row([charts[0]], "Describe the image."),
        row([charts[0]], "What kind of chart is this?"),
    ]
    long, short = asked.answering(max_new_tokens=4).answers(rows, BASE).by_name["base"]
    assert (long.text, long.tokens, long.cut) == (asked.singly(rows[:1], 4)[0], 4, True)
    assert (short.text, short.cut) == (asked.singly(rows[1:])[0], False)


def test_an_answer_that_ends_at_once_is_empty_and_no_failure(asked, charts, monkeypatch):
    rows = [
        row([charts[0]], "What kind of chart is this?"),
        row([charts[1]], "Describe the image."),
    ]
    first = asked.ids(rows[:1])[0][0]
    monkeypatch.setattr(asked.loaded.model.generation_config, "eos_token_id", [first, 5])
    found = asked.answering().answers(rows, BASE).by_name["base"]
    assert (found[0].text, found[0].tokens, found[0].reason, found[0].cut) == ("", 0, "", False)
    assert found[1].text == asked.singly(rows[1:])[0]


def test_repetition_is_punished_as_the_models_own_settings_say(asked, charts, monkeypatch):
    rows = mixed(charts)
    before = asked.singly(rows)
    monkeypatch.setattr(asked.loaded.model.generation_config, "repetition_penalty", 1.4)
    wanted = asked.singly(rows)
    assert wanted != before
    assert texts(asked.answering().answers(rows, BASE).by_name["base"]) == wanted


def test_other_settings_of_its_own_go_through_generate_and_are_said(asked, charts, monkeypatch):
    rows = mixed(charts)
    monkeypatch.setattr(asked.loaded.model.generation_config, "no_repeat_ngram_size", 2)
    found = asked.answering(batch_size=3).answers(rows, BASE)
    assert texts(found.by_name["base"]) == asked.singly(rows)
    assert "no_repeat_ngram_size" in found.notes[0]


def test_base_and_adapters_answer_in_turn_on_one_base(
    plain, store, charts, language_adapter, vision_adapter
):
    """Images are encoded once for all who see them alike, again for who sees them differently."""
    rows = mixed(charts)
    loaded = load_model(ModelConfig())
    answering = Asked(loaded, store).answering()
    contestants = [
        Contestant("language", language_adapter),
        Contestant("base"),
        Contestant("vision", vision_adapter),
    ]
    found = answering.answers(rows, contestants)
    assert answering.encoded == 2 * len(charts)
    asked = Asked(plain, store)
    assert texts(found.by_name["base"]) == asked.singly(rows)
    for name, folder in (("language", language_adapter), ("vision", vision_adapter)):
        adapted = PeftModel.from_pretrained(load_model(ModelConfig()).model, folder).eval()
        wanted = asked.singly(rows, model=adapted)
        assert texts(found.by_name[name]) == wanted, name
        assert wanted != asked.singly(rows)
    ids = torch.arange(2, 14).unsqueeze(0)
    with torch.no_grad():  # the base is as it was
        assert torch.equal(loaded.model(input_ids=ids).logits, plain.model(input_ids=ids).logits)


def test_each_image_is_encoded_once_and_read_from_disk_the_next_time(asked, charts, tmp_path):
    rows = mixed(charts)
    first = asked.answering(features=tmp_path, batch_size=2)
    wanted = texts(first.answers(rows, BASE).by_name["base"])
    assert first.encoded == len(charts)
    again = asked.answering(features=tmp_path)
    assert texts(again.answers(rows, BASE).by_name["base"]) == wanted
    assert again.encoded == 0


def test_kept_features_stay_within_their_budget(asked, charts, tmp_path):
    rows = mixed(charts)
    first = asked.answering(features=tmp_path, feature_bytes=40_000)
    found = first.answers(rows, BASE)
    assert texts(found.by_name["base"]) == asked.singly(rows)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.bin")) <= 40_000
    assert any("budget" in note for note in found.notes)


def test_an_evaluation_that_was_stopped_goes_on_where_it_was(asked, charts, tmp_path):
    rows = mixed(charts)
    told, asks = [], iter([False] * 30)
    first = asked.answering(answers=tmp_path, batch_size=2)
    found = first.answers(
        rows,
        BASE,
        stopped=lambda: next(asks, True),
        progress=lambda done, total, left: told.append((done, total, left)),
    )
    done = sum(entry is not None for entry in found.by_name["base"])
    assert found.stopped and 0 < done < len(rows) and told[-1][:2] == (done, len(rows))
    assert told[0] == (0, len(rows), None) and told[-1][2] > 0
    with next(tmp_path.glob("*.jsonl")).open("ab") as handle:
        handle.write(b'{"key": "torn')
    second = asked.answering(answers=tmp_path).answers(rows, BASE)
    assert second.known == done and not second.stopped
    assert texts(second.by_name["base"]) == asked.singly(rows)
    third = asked.answering(answers=tmp_path).answers(rows, BASE)
    assert third.known == len(rows)
    assert texts(third.by_name["base"]) == texts(second.by_name["base"])


def test_kept_answers_belong_to_model_adapter_row_and_settings(
    store, charts, language_adapter, tmp_path
):
    rows = [row([charts[0]], "Describe the image.")]

    def known(contestant: Contestant, rows=rows, **settings) -> int:
        asked = Asked(load_model(ModelConfig()), store)
        answering = asked.answering(answers=tmp_path / "answers", **settings)
        return answering.answers(rows, [contestant]).known

    base = Contestant("base")
    adapter = shutil.copytree(language_adapter, tmp_path / "adapter")
    assert known(Contestant("run", adapter)) == 0 and known(Contestant("other", adapter)) == 1
    reweigh(adapter, lambda weights: {name: value * 2 for name, value in weights.items()})
    assert known(Contestant("run", adapter)) == 0
    assert known(base) == 0 and known(base) == 1
    assert known(base, max_new_tokens=5) == 0
    assert known(base, [row([charts[1]], "Describe the image.")]) == 0


def test_rows_that_cannot_be_asked_have_a_reason_and_the_others_answers(
    asked, charts, store, tmp_path, monkeypatch
):
    good = row([charts[0]], "What kind of chart is this?")
    gone = row(["ab" * 32], "Which?", name="gone")
    control = row([charts[0]], "Is <image> right?", name="control")
    long = row([], "word " * 3000, name="long")
    damaged = store.add(_copy(store, charts[3], tmp_path))
    store.path(damaged).write_bytes(b"\x89PNG no more")
    found = (
        asked.answering()
        .answers([gone, good, control, long, row([damaged], "Which?", name="damaged")], BASE)
        .by_name["base"]
    )
    assert "not in this workspace" in found[0].reason
    assert found[1].text == asked.singly([good])[0] and not found[1].reason
    assert "<image>" in found[2].reason
    assert "tokens" in found[3].reason
    assert found[4].reason and not found[4].text


def _copy(store: ImageStore, sha: str, folder) -> bytes:
    """Another file with the same picture."""
    from PIL import Image

    path = folder / "copy.png"
    Image.open(store.path(sha)).rotate(180).save(path)
    return path.read_bytes()


def test_memory_that_runs_out_halves_the_batch(asked, charts, monkeypatch):
    rows = mixed(charts)
    sizes, compute = [], Decoder.answers

    def small(self, groups, stopped):
        sizes.append(sum(map(len, groups)))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return compute(self, groups, stopped)

    monkeypatch.setattr(Decoder, "answers", small)
    found = asked.answering(batch_size=8).answers(rows, BASE)
    assert texts(found.by_name["base"]) == asked.singly(rows)
    assert 2 < sizes[0] <= 8 and sizes[1] <= sizes[0] // 2 and max(sizes[3:]) <= 2
    assert "batches of more than" in found.notes[0]


def test_a_row_that_memory_is_too_small_for_is_a_reason(asked, charts, monkeypatch):
    rows = [row([charts[0]], "Which?"), row([charts[1]], "Describe the image in many words.")]
    compute = Decoder.answers

    def small(self, groups, stopped):
        if any(len(one.ids) > 55 for group in groups for one in group):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return compute(self, groups, stopped)

    monkeypatch.setattr(Decoder, "answers", small)
    found = asked.answering().answers(rows, BASE).by_name["base"]
    assert found[0].text == asked.singly(rows[:1])[0]
    assert "Memory ran out" in found[1].reason


def test_an_error_that_is_not_about_memory_is_not_hidden(asked, charts, monkeypatch):
    def broken(*_):
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(Decoder, "answers", broken)
    with pytest.raises(RuntimeError, match="size mismatch"):
        asked.answering().answers([row([charts[0]], "Which?")], BASE)


def test_memory_that_runs_out_for_images_encodes_them_one_by_one(asked, charts, monkeypatch):
    rows, whole = mixed(charts), image_bank.encode

    def small(model, images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, images)

    monkeypatch.setattr(image_bank, "encode", small)
    found = asked.answering().answers(rows, BASE).by_name["base"]
    assert texts(found) == asked.singly(rows)


def test_a_processor_that_makes_other_tokens_is_noticed(asked, charts, monkeypatch):
    from studio.models.answering.row_prompts import PromptWriter

    rows = mixed(charts)
    monkeypatch.setattr(PromptWriter, "same_as_processor", lambda *_: False)
    found = asked.answering().answers(rows, BASE)
    assert texts(found.by_name["base"]) == asked.singly(rows)
    assert "other tokens" in found.notes[0]


def test_contestants_need_names_of_their_own_and_adapters_that_fit(asked, charts, tmp_path):
    rows = [row([charts[0]], "Which?")]
    with pytest.raises(InputError, match="one name"):
        asked.answering().answers(rows, [Contestant("a"), Contestant("a")])
    with pytest.raises(ModelError):
        asked.answering().answers(rows, [Contestant("gone", tmp_path / "gone")])


def test_settings_of_a_workspace_share_the_features_of_training(workspace):
    settings = AnswerSettings.kept_in(workspace, max_new_tokens=3)
    assert settings.features == workspace.cache / "features" and settings.max_new_tokens == 3
    assert settings.answers == workspace.cache / "answers"


def test_nothing_to_do_is_done_at_once(asked):
    found = asked.answering().answers([], BASE)
    assert found.by_name == {"base": []} and not found.stopped
