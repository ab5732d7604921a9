"""Rows that come again: as they were, and changed."""

from __future__ import annotations

import uuid

from studio.annotation import ItemFilter, LabelEvent
from studio.annotation.library.trainable_rows import parse_library, trainable_rows
from studio.data.schema import ACCEPTED, VERDICT, Answer, Message, Part
from tests.annotation.conftest import make_row


def asked(number: int, question: str = "Which?", **changes):
    """A row with a reference answer alone."""
    prompt = (Message("user", (Part("image"), Part("text", question))),)
    values = {"candidates": (), "completion": Answer("the red"), "prompt": prompt}
    return make_row(number, **{**values, **changes})


def preferred(number: int, chosen: str = "yes", rejected: str = "no", **changes):
    values = {"candidates": (), "chosen": Answer(chosen), "rejected": Answer(rejected)}
    return make_row(number, **{**values, **changes})


def bring(store, *rows, on_change="ask", source="/data/new.jsonl"):
    with store.importing("charts", source=source, on_change=on_change) as batch:
        batch.add_rows(rows)
    return batch


def trained(store, method="sft"):
    found = trainable_rows(store, parse_library("library:charts"), method)
    return found.splits.get("train", [])


def only(store):
    (item,) = store.browse(ItemFilter(dataset="charts"))
    return item


def vote(store, item, winner: str, who: str = "ana"):
    pair = item.pairs[0]
    number = next(c.id for c in item.candidates if c.text == winner)
    store.save(LabelEvent(uuid.uuid4().hex, pair.id, who, "choose", number))


CHANGES = [
    (asked(1), asked(1, completion=Answer("the blue")), "reference answer"),
    (asked(1), asked(1, "Which one?"), "question"),
    (asked(1), asked(1, images=("cd" * 32,)), "images"),
    (preferred(1), preferred(1, "no", "yes"), "preference"),
    (preferred(1), preferred(1, "yes!"), "chosen answer"),
    (preferred(1), preferred(1, rejected="no!"), "rejected answer"),
    (asked(1, meta={VERDICT: "good"}),
     asked(1, completion=None, candidates=(Answer("the red"),), meta={VERDICT: "bad"}), "verdict"),
    (asked(1, meta={ACCEPTED: ["red"]}), asked(1, meta={ACCEPTED: ["red", "blue"]}),
     "accepted answers"),
]  # fmt: skip
