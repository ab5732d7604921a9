"""SFT on conversations: every answer is scored once, questions never, on TRL's path and ours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from studio.core.errors import DataError
from studio.models.model_source import load_processor
from studio.training.multi_turn_loss import TurnCollator
from studio.training.run_rows import load_run_data
from tests.training.fast_pair import IMAGES, Bench, assert_same, assistant, compute, user

LONG = "It is so, so, so. "


@pytest.fixture
def source(tmp_path):
    """Rows of one, two and three answers, with no, one and two images; one answer has weight 0."""

    def row(images: list[int], *turns: dict) -> dict:
        for number in images:
            shutil.copy(IMAGES[number], tmp_path / f"{number}.png")
        return {"images": [f"{number}.png" for number in images], "messages": list(turns)}

    rows = [
        row([0], user("<image>Which colour?"), assistant("Red."), user("Sure?"), assistant("Yes.")),
        row([], user("Hello"), assistant("Hi."), user("And?"), assistant(LONG)),
        row([1], user("<image>One answer?"), assistant(LONG * 3)),
        row(
            [2, 3],
            {"role": "system", "content": "Be short."},
            user("<image>What?"),
            assistant("Yes."),
            user("<image>And this?"),
            assistant("Yes.") | {"weight": 0},
            user("Again?"),
            assistant("Yes.") | {"weight": 1},
            user("Last one?"),
            assistant("No."),
        ),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def scored_texts(processor, labels) -> list[str]:
    """The runs of scored tokens, as text."""
    found, run = [], []
    for token in [*labels.tolist(), -100]:
        if token != -100:
            run.append(token)
        elif run:
            found.append(processor.tokenizer.decode(run))
            run = []
    return found


def batch_of(trainer):
    """All rows in one padded batch."""
    rows = [trainer.train_dataset[index] for index in range(len(trainer.train_dataset))]
    return trainer.data_collator(rows)


def in_trl_form(config, workspace) -> list[dict]:
    """The rows as TRL's language modelling takes them."""
    data = load_run_data(config, workspace).train.dataset
    return [
        {"images": row["images"], "messages": row["prompt"] + row["completion"]} for row in data
    ]


def test_every_answer_is_scored_once_and_weight_0_is_not(runner, source):
    trainer = Bench(runner).trainer(data={"source": source, "train": "train"})
    end = "<end_of_utterance>\n"
    found = [scored_texts(trainer.processing_class, row) for row in batch_of(trainer)["labels"]]
    assert found == [
        [f" Red.{end}", f" Yes.{end}"],
        [f" Hi.{end}", f" {LONG}{end}"],
        [f" {LONG * 3}{end}"],
        [f" Yes.{end}", f" Yes.{end}", f" No.{end}"],
    ]


def test_labels_are_those_of_trls_assistant_only_loss(runner, source, tmp_path):
    """Where TRL's own way works: all answers weigh 1, and the template marks them."""
    rows = [json.loads(line) for line in Path(source).read_text("utf-8").splitlines()]
    for row in rows:
        for turn in row["messages"]:
            turn.pop("weight", None)
    path = tmp_path / "all.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    sections = {"data": {"source": str(path), "train": "train"}}
    stock, fast = Bench(runner).pair(**sections)
    collate = DataCollatorForVisionLanguageModeling(
        stock.processing_class, assistant_only_loss=True
    )
    theirs = collate(in_trl_form(runner.config(**sections), runner.workspace))
    for ours in (batch_of(stock), batch_of(fast)):
        for name in ("input_ids", "attention_mask", "labels"):
            assert torch.equal(ours[name], theirs[name]), name
    assert isinstance(stock.data_collator, TurnCollator)


def test_the_fast_path_learns_the_same_from_conversations(runner, source):
    sections = {"data": {"source": source, "train": "train"}}
    stock, fast = Bench(runner).pair(**sections)
    assert fast.saving is not None
    assert_same(compute(stock), compute(fast))


def test_the_loss_is_that_of_the_answers_computed_by_hand(runner, source):
    """Each row alone, each scored token from the plain logits, in a padded batch of unlike rows."""
    sections = {"data": {"source": source, "train": "train"}}
    stock, fast = Bench(runner).pair(**sections)
    total, tokens = 0.0, 0
    model = stock.model.eval()
    for row in load_run_data(runner.config(**sections), runner.workspace).train.dataset:
        batch = stock._prepare_inputs(stock.data_collator([row]))
        labels = batch.pop("labels")[0, 1:]
        with torch.no_grad():
            logits = model(**batch).logits[0, :-1].float().log_softmax(-1)
        kept = labels != -100
        total -= logits[kept].gather(1, labels[kept, None]).sum().item()
        tokens += int(kept.sum())
    for trainer in (stock, fast):
        assert compute(trainer).loss == pytest.approx(total / tokens, rel=1e-4)


def test_last_scores_what_trl_scores(runner, source):
    sections = {"data": {"source": source, "train": "train", "turns": "last"}}
    stock, fast = Bench(runner).pair(**sections)
    assert not isinstance(stock.data_collator, TurnCollator)
    labels = batch_of(stock)["labels"]
    assert torch.equal(labels, batch_of(fast)["labels"])
    assert [len(scored_texts(stock.processing_class, row)) for row in labels] == [1, 1, 1, 1]


def test_a_conversation_ends_with_its_last_answer_of_weight_1(runner, tmp_path):
    turns = [
        user("<image>One?"),
        assistant("First."),
        user("<image>Two?"),
        assistant("Second.") | {"weight": 0},
    ]
    shutil.copy(IMAGES[0], tmp_path / "0.png")
    row = {"images": ["0.png", "0.png"], "messages": turns}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    config = runner.config(data={"source": str(path), "train": "train"})
    (only,) = load_run_data(config, runner.workspace).train.dataset
    assert [part["type"] for part in only["prompt"][0]["content"]] == ["image", "text"]
    assert only["completion"][0]["content"][0]["text"] == "First." and len(only["images"]) == 1
    for weights, said in (((0, 0), "weight 0"), ((1, 0.5), "must be 0 or 1")):
        turns[1]["weight"], turns[3]["weight"] = weights
        path.write_text(json.dumps(row), encoding="utf-8")
        with pytest.raises(DataError, match=said):
            load_run_data(config, runner.workspace)


@pytest.fixture
def forgetful(tmp_path):
    """The embedded model with a template that drops the thoughts of earlier answers."""
    from studio.core.paths import TINY_VLM

    folder = tmp_path / "forgetful"
    shutil.copytree(TINY_VLM, folder)
    (folder / "chat_template.jinja").write_text(
        "<|im_start|>{% for m in messages %}{% set last = loop.last %}"
        "{{ m['role'] | capitalize }}: {% for part in m['content'] %}"
        "{% if part['type'] == 'image' %}<image>"
        "{% elif m['role'] == 'assistant' and not last %}{{ part['text'].split('</think>')[-1] }}"
        "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
        "{% if add_generation_prompt %}Assistant: {% endif %}",
        encoding="utf-8",
    )
    return str(folder)


def test_thoughts_that_a_template_drops_are_learned_in_rows_of_their_own(
    runner, forgetful, tmp_path
):
    from studio.models.chat_template import fit_of
    from studio.training.planning.preflight_plan import plan_run

    config = runner.config(model={"id": forgetful})
    processor = load_processor(config.model)
    assert fit_of(processor).apart == "thought"
    turns = [
        user("One?"),
        assistant("<think>hm</think>First."),
        user("Two?"),
        assistant("<think>oh</think>Second."),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": turns}), encoding="utf-8")
    sections = {"model": {"id": forgetful}, "data": {"source": str(path), "train": "train"}}
    plan, data = plan_run(runner.config(**sections), runner.workspace)
    assert data.train.used == 2 and plan.train_rows == 2
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batch = collate(list(data.train.dataset))
    end = "<end_of_utterance>\n"
    texts = [scored_texts(processor, row) for row in batch["labels"]]
    assert texts == [[f"<think>hm</think>First.{end}"], [f"<think>oh</think>Second.{end}"]]
    assert any("rows of their own" in said for said in plan.warnings)
