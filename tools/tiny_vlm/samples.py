"""Writes the sample sets: rows as JSON lines beside a folder of small PNG images.

No image is in two sets. Training sets come from the `samples` split, evaluation sets from
`evaluation`, and the held-out set from `heldout`, none of which the model was trained on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.tiny_vlm.chart import Chart
from tools.tiny_vlm.draw import draw_chart
from tools.tiny_vlm.measure import question_about
from tools.tiny_vlm.questions import GAP, HABIT, TAUGHT, Question, evasion
from tools.tiny_vlm.wording import WORDING

SIZES = {
    "sft/train": 400,
    "sft/evaluation": 150,
    "preferences/train": 300,
    "preferences/evaluation": 150,
    "unlabelled/train": 60,
    "heldout/train": 300,
}
GENERAL_EVERY = 2
"""Every so many rows of `sft` asks what the model knows already, so that it is not forgotten."""
HABIT_SHARE = 0.6
"""Share of preference pairs that set a grounded answer against an evasive one."""

PALETTE = 64
AUTHORS = ("tiny-vlm", "tiny-vlm-draft")

Row = dict[str, Any]


@dataclass
class _Gallery:
    """Saves images under numbered names and refuses one that has been seen before."""

    seen: set[bytes] = field(default_factory=set)

    def save(self, chart: Chart, path: Path) -> bool:
        image = draw_chart(chart).quantize(PALETTE)
        if image.tobytes() in self.seen:
            return False
        self.seen.add(image.tobytes())
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)
        return True


def write_samples(folder: Path, seed: int = 0, sizes: dict[str, int] = SIZES) -> None:
    """Writes every sample set under `folder`, in place of the ones written there before."""
    gallery = _Gallery()
    for name, count in sizes.items():
        group, part = name.split("/")
        for stale in (folder / group / "images").glob(f"{part}-[0-9][0-9][0-9]-*.png"):
            stale.unlink()
        rows = _rows(group, part, count, seed, folder / group, gallery)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / group / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")


def _rows(
    group: str, part: str, count: int, seed: int, folder: Path, gallery: _Gallery
) -> Iterator[Row]:
    split = {"heldout": "heldout"}.get(group, "samples" if part == "train" else "evaluation")
    first = 1_000_000 * (1 + seed) + 100_000 * list(SIZES).index(f"{group}/{part}")
    written, index = 0, first
    while written < count:
        rng = random.Random(f"{group}-{part}-{index}")
        chart, question = question_about(KINDS[group](written, rng), split, index)
        index += 1
        name = f"images/{part}-{written:03d}-{chart.form}.png"
        if gallery.save(chart, folder / name):
            written += 1
            answers = ANSWERS[group](chart, question, rng)
            yield {"image": name, "question": question.text, **answers, "kind": question.kind}


def _answered(chart: Chart, question: Question, rng: random.Random) -> Row:
    return {"answer": question.answer}


def _preferred(chart: Chart, question: Question, rng: random.Random) -> Row:
    return {"chosen": question.answer, "rejected": _worse(chart, question, rng)}


def _candidates(chart: Chart, question: Question, rng: random.Random) -> Row:
    near_tie = rng.random() < 0.25
    other = _reworded(chart, question) if near_tie else _worse(chart, question, rng)
    texts = [question.answer, other]
    rng.shuffle(texts)
    return {
        "candidates": [
            {"text": text, "author": author} for text, author in zip(texts, AUTHORS, strict=True)
        ]
    }


def _worse(chart: Chart, question: Question, rng: random.Random) -> str:
    return evasion(chart) if question.kind == HABIT else rng.choice(question.wrong)


def _reworded(chart: Chart, question: Question) -> str:
    """The same answer in other words, for pairs in which neither side is clearly better."""
    if question.kind in ("description", "data", "colours"):
        return f"The image shows this: {question.answer}"
    return f"It is a {WORDING[chart.form].name}, and the answer is {question.answer}."


def _replayed_kind(place: int, rng: random.Random) -> str:
    return rng.choice(TAUGHT) if place % GENERAL_EVERY == GENERAL_EVERY - 1 else GAP


def _preference_kind(place: int, rng: random.Random) -> str:
    return HABIT if rng.random() < HABIT_SHARE else rng.choice(TAUGHT)


def _open_kind(place: int, rng: random.Random) -> str:
    return HABIT if rng.random() < 0.35 else rng.choice(TAUGHT)


def _every_kind(place: int, rng: random.Random) -> str:
    return (*TAUGHT, *TAUGHT, HABIT, HABIT, GAP, GAP)[place % (2 * len(TAUGHT) + 4)]


KINDS: dict[str, Callable[[int, random.Random], str]] = {
    "sft": _replayed_kind,
    "preferences": _preference_kind,
    "unlabelled": _open_kind,
    "heldout": _every_kind,
}
ANSWERS: dict[str, Callable[[Chart, Question, random.Random], Row]] = {
    "sft": _answered,
    "preferences": _preferred,
    "unlabelled": _candidates,
    "heldout": _answered,
}

README = """\
# Sample sets

Charts drawn by `python -m tools.tiny_vlm samples`, with questions and answers. Licence: Apache-2.0.
Rows are JSON lines; `image` is a path relative to the set's folder. No image is in two files.

| set | files | rows hold | for |
|---|---|---|---|
| `sft` | train, evaluation | `image`, `question`, `answer`, `kind` | teaching the report line; \
every second row asks what the model knows already, so that it does not forget it |
| `preferences` | train, evaluation | `image`, `question`, `chosen`, `rejected`, `kind` | \
preferring grounded to evasive and right to wrong answers |
| `unlabelled` | train | `image`, `question`, `candidates` (`text`, `author`), `kind` | \
annotating by hand |
| `heldout` | train | `image`, `question`, `answer`, `kind` | measuring; never trained on |

Kinds the embedded model knows: {taught}. It evades `{habit}` questions although it can see the
answer, and it was never shown a `{gap}`.
""".format(taught=", ".join(f"`{kind}`" for kind in TAUGHT), habit=HABIT, gap=GAP)
