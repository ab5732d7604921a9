"""The errors a user can meet.

Each says what happened and what to do about it; `field` names the setting or column at
fault so that the form can show the sentence beside it. Exit codes follow from the class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class StudioError(Exception):
    """Base of every error meant for a user's eyes.

    Args:
        message: What happened and where, in one sentence.
        remedy: What the user can do about it.
        field: Dotted path of the setting (`batch.total`) or the column at fault.
        detail: What only whoever runs the studio is told, for example where a file is: it goes
            to the log, to the command line and to leads, never to annotators.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, remedy: str = "", field: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.field = field
        self.detail = detail

    @property
    def in_full(self) -> str:
        """The sentences with the detail, for whoever runs the studio."""
        return f"{self} {self.detail}".strip()

    @property
    def in_words(self) -> str:
        """The sentences for a place that shows no fields: a field's name only as their subject."""
        subject = f"{self.field} " if self.field and _PREDICATE.match(self.message) else ""
        return _with_remedy(f"{subject}{self.message}", self.remedy)

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field and self.field not in self.message else ""
        return f"{where}{_with_remedy(self.message, self.remedy)}"


class InputError(StudioError, ValueError):
    """Something the user gave cannot be used; nothing was started."""

    exit_code = 2


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one setting."""

    field: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {_with_remedy(self.message, self.remedy)}"

    @property
    def sentence(self) -> str:
        """The message where no field is beside it: with its subject, when that is the field."""
        if self.field in self.message:
            return self.message
        if _PREDICATE.match(self.message):
            return f"{self.field} {self.message}"
        return f"{self.field}: {self.message}" if _FRAGMENT.match(self.message) else self.message


_PREDICATE = re.compile(r"(?:is|was|must|cannot|has|needs)\b")
_FRAGMENT = re.compile(r"[a-z]|\w+ should\b|Field required")  # the latter two are pydantic's


class ConfigError(InputError):
    """A run file or a form that cannot be run; holds every problem found.

    Its message is whole sentences about all of them, its field that of the first.
    """

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__(
            " ".join(problem.sentence for problem in problems),
            remedy=" ".join(dict.fromkeys(filter(None, (one.remedy for one in problems)))),
            field=problems[0].field,
        )
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class DataError(InputError):
    """A data source, a row or an image that cannot be used."""


def source_error(message: str, remedy: str = "") -> DataError:
    """Make the error of a data source, told beside the setting that names it."""
    return DataError(message, remedy=remedy, field="data.source")


class ModelError(InputError):
    """A model, an adapter or a combination of settings a model cannot take."""


class NotFoundError(InputError, LookupError):
    """A run, a dataset or a file that is not there."""


class ConflictError(StudioError):
    """The same thing was changed elsewhere meanwhile."""


class BusyError(StudioError):
    """The device or the service is taken by something else right now."""


class RunFailedError(StudioError, RuntimeError):
    """The work itself failed after it had started."""


class StoppedError(StudioError):
    """The user stopped it."""

    exit_code = 130


def _with_remedy(message: str, remedy: str) -> str:
    """Both as sentences; what a library said may end without a full stop."""
    ended = message.endswith((".", "!", "?", ":", "…")) or not remedy
    return f"{message if ended else message + '.'} {remedy}".strip()


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its kind when it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
