"""A rule that answers pairs in place of a person, through the same store and the same steps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.records import PairCard
from studio.core.errors import DataError
from studio.data.schema import Row

RULE = "rule"


def unlabelled(rows: Iterable[Row]) -> list[Row]:
    """Turn rows with a known preference into candidates that nobody has judged yet.

    Candidates are in alphabetical order, so their order says nothing.
    """
    made = []
    for row in rows:
        if row.chosen is None or row.rejected is None:
            raise DataError(f"Row {row.external_id} has no preference to learn the rule from.")
        candidates = sorted((row.chosen, row.rejected), key=lambda answer: answer.text)
        made.append(replace(row, chosen=None, rejected=None, candidates=tuple(candidates)))
    return made


def label_all(
    store: AnnotationStore, dataset: str, preferred: Mapping[tuple[tuple[str, ...], str], str]
) -> int:
    """Claim and answer every waiting pair of `dataset`; how many were answered.

    Args:
        preferred: The better answer's text by (image hashes, question).
    """
    done = 0
    while (card := store.claim(RULE, dataset)) is not None:
        store.save(_event(card, preferred[card.images, card.question]))
        done += not card.repeat
    return done


def judge_until(
    store: AnnotationStore,
    dataset: str,
    right: Mapping[tuple[tuple[str, ...], str], Collection[str]],
    told: Callable[[], bool],
) -> int:
    """Judge pairs of `dataset` by which answer is right, until `told` or none waits; how many.

    Two right answers, or two wrong ones, are a tie.

    Args:
        right: The right answers by (image hashes, question).
    """
    done = 0
    while not told() and (card := store.claim(RULE, dataset)) is not None:
        answers = right[card.images, card.question]
        good = [side for side in (card.left, card.right) if side.text.strip() in answers]
        store.save(_event(card, good[0].text if len(good) == 1 else None))
        done += not card.repeat
    return done


def _event(card: PairCard, better: str | None) -> LabelEvent:
    winner = next((side for side in (card.left, card.right) if side.text == better), None)
    return LabelEvent(
        key=uuid.uuid4().hex,
        pair_id=card.pair_id,
        annotator=RULE,
        kind="choose" if winner else "tie",
        winner_id=winner.candidate_id if winner else None,
        expected_version=card.version,
        reason="labelled by rule",
        shown_left_id=card.left.candidate_id,
        repeat=card.repeat,
    )
