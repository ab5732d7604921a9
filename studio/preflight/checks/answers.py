"""Answers that say nothing: missing, empty, or the same twice."""

from __future__ import annotations

from collections.abc import Iterator

from studio.core.plurals import counted
from studio.preflight.checks.base import Check, SeenRow, answers_of
from studio.preflight.report import Finding


class EmptyAnswers(Check):
    """Empty questions and answers, chosen equal to rejected, rows without an answer."""

    def __init__(self) -> None:
        self._identical: list[int] = []
        self._empty: list[int] = []
        self._no_question: list[int] = []
        self._unanswered: list[int] = []
        self._half: list[int] = []
        self._rows = 0

    def add_damaged(self, number: int, reason: str) -> bool:
        """Take a row that was refused for being empty; False when that is not the reason."""
        if not reason.endswith("is empty"):
            return False
        (self._no_question if "question" in reason else self._empty).append(number)
        self._rows += 1
        return True

    def add(self, seen: SeenRow) -> None:
        row, answers = seen.row, answers_of(seen.row)
        self._rows += 1
        if not row.question.strip():
            self._no_question.append(seen.number)
        if not answers:
            self._unanswered.append(seen.number)
        if any(not answer.text.strip() for answer in answers.values()):
            self._empty.append(seen.number)
        elif row.chosen and row.rejected and row.chosen.text.strip() == row.rejected.text.strip():
            self._identical.append(seen.number)
        if (row.chosen is None) != (row.rejected is None):
            self._half.append(seen.number)

    def findings(self) -> Iterator[Finding]:
        yield from self._of_answers()
        if self._half:
            yield Finding(
                "incomplete_pairs",
                "error",
                self._half,
                f"{counted(len(self._half))} with one answer only, or the same answer twice.",
                "DPO needs two different answers in every row: add one, or exclude them.",
            )
        if self._no_question:
            yield Finding(
                "empty_questions",
                "warning",
                self._no_question,
                f"{counted(len(self._no_question))} without a question.",
                "Add the questions, or map the column that holds them.",
            )
        if self._unanswered:
            everything = len(self._unanswered) == self._rows
            yield Finding(
                "unanswered",
                "info" if everything else "warning",
                [] if everything else self._unanswered,
                "No row has an answer yet."
                if everything
                else f"{counted(len(self._unanswered))} without any answer.",
                "Sample answers from a model and label them, or map the column of answers.",
            )

    def _of_answers(self) -> Iterator[Finding]:
        if self._identical:
            number = len(self._identical)
            yield Finding(
                "identical_answers",
                "error",
                self._identical,
                f"{counted(number)} whose chosen and rejected answers are the same.",
                "There is nothing to prefer in them: leave them out.",
            )
        if self._empty:
            yield Finding(
                "empty_answers",
                "error",
                self._empty,
                f"{counted(len(self._empty))} with an empty answer.",
                "Training leaves them out. Write the answer, or exclude the rows.",
            )
