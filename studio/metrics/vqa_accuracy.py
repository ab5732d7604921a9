"""VQA accuracy (Antol et al. 2015, Goyal et al. 2017), as visualqa.org/evaluation.html states it.

An answer is right as far as people gave it: min(matches / 3, 1), averaged over the ten ways to
leave one of the ten people out. Before that, answers are normalised: lower case, number words as
digits, no articles, contractions with their apostrophe, punctuation removed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.schema import ACCEPTED, Row

EQUAL_NEEDED = 3
"""Equal answers that make one fully right."""

PEOPLE = 10
"""How many people answer a question of VQA."""

_NUMBERS = dict(
    zip(
        ["none", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        ["0", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        strict=True,
    ),
    ten="10",
)
_ARTICLES = frozenset({"a", "an", "the"})
_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't
    mightn't've might've mustn't must've needn't not've o'clock oughtn't shan't she'd've should've
    shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
    someone's something'd something'd've something'll that's there'd there'd've there're there's
    they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's
    won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
    you've 'twas
"""
_FULL_STOP = re.compile(r"\.(?!\d)")
_PUNCTUATION = ';/[]"{}()=+\\_-><@`!'


def _misspelt(word: str) -> set[str]:
    """The word with one of its apostrophes missing."""
    return {word[:place] + word[place + 1 :] for place, mark in enumerate(word) if mark == "'"}


_APOSTROPHES = {form: word for word in _CONTRACTIONS.split() for form in _misspelt(word)}


def vqa_normalise(text: str) -> str:
    """Return an answer in the form in which VQA accuracy compares answers.

    Commas and question marks are removed, another mark too where a space is beside it; elsewhere it
    becomes a space (`left/right`). Apostrophes, colons and decimal points stay (2:50, 3.5).
    """
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ")
    without = text
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        without = without.replace(mark, "" if beside_space else " ")
    words = [_NUMBERS.get(word, word) for word in _FULL_STOP.sub("", without).split()]
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)


def people_answers(accepted: Sequence[str], row: Row) -> list[str]:
    """Return the answers that several people gave to a question, repeats included; else none.

    They are in `accepted`, or in the row where `accepted` has lost the repeats. Fewer than ten
    different answers, each once, are ways to write one answer, and nobody's votes.
    """
    kept = row.meta.get(ACCEPTED)
    in_row = [text for text in kept if isinstance(text, str)] if isinstance(kept, list) else []
    for answers in (list(accepted), in_row):
        if len(answers) >= EQUAL_NEEDED and (
            len(answers) > len(set(answers)) or len(answers) >= PEOPLE
        ):
            return answers
    return []


def vqa_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score how many people gave the answer; None for a question that few people answered."""
    answers = people_answers(accepted, row)
    if not answers:
        return None
    given = vqa_normalise(prediction)
    equal = sum(vqa_normalise(answer) == given for answer in answers)
    without_one_of_them = min((equal - 1) / EQUAL_NEEDED, 1.0) if equal else 0.0
    without_another = min(equal / EQUAL_NEEDED, 1.0)
    people = len(answers)
    return (equal * without_one_of_them + (people - equal) * without_another) / people
