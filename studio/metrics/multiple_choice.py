"""Answers to questions with lettered choices: a letter, or the text of the choice.

A letter is read as in the exact-matching stage of VLMEvalKit (Duan et al. 2024, section 3): marks
become spaces, and exactly one letter of a choice must stand alone; else exactly one choice's text
must be in an answer that is not more than twice as long as all choices together. No model is asked.
Beyond it, a capital A before a word in lower case is the article ("A dog"), not the choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from studio.data.schema import Row
from studio.metrics.exact_match import normalise

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHOICE = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE)
_MARKS = str.maketrans(".()[],:;!*#{}", " " * 13)
_ARTICLE = re.compile(r"\bA(?= [a-z])(?! (is|was|because|since|as|or|and)\b)")


def choices_of(row: Row) -> dict[str, str]:
    """Return the lettered choices in the question, letter to text; empty where there are no two.

    Choices stand in lines of their own, `A. blue`, `(B) red`, and their letters begin with A.
    """
    found = dict(_CHOICE.findall(row.question))
    expected = LETTERS[: len(found)]
    return found if len(found) > 1 and "".join(found) == expected else {}


def chosen_letter(answer: str, choices: Mapping[str, str]) -> str | None:
    """Return the letter of the choice an answer names, None where it names none or several."""
    if answer.strip().upper() in choices:
        return answer.strip().upper()
    return _by_letter(answer, choices) or _by_text(answer, choices)


def choice_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score 1 for the right choice, else 0; None for a question without choices."""
    choices = choices_of(row)
    right = {_choice_of(answer, choices) for answer in accepted} - {None}
    if not right:
        return None
    return float(chosen_letter(prediction, choices) in right)


def _choice_of(answer: str, choices: Mapping[str, str]) -> str | None:
    """The choice an accepted answer is: its letter, or its whole text."""
    if answer.strip(" .()") in choices:
        return answer.strip(" .()")
    texts = {normalise(text): letter for letter, text in choices.items()}
    return texts.get(normalise(answer)) or _by_letter(answer, choices)


def _by_letter(answer: str, choices: Mapping[str, str]) -> str | None:
    words = _ARTICLE.sub("", answer).translate(_MARKS).split()
    named = [letter for letter in choices if letter in words]
    return named[0] if len(named) == 1 else None


def _by_text(answer: str, choices: Mapping[str, str]) -> str | None:
    answer = answer.lower()
    if len(answer) > 2 * sum(map(len, choices.values())):
        return None
    named = [letter for letter, text in choices.items() if text.lower() in answer]
    return named[0] if len(named) == 1 else None
