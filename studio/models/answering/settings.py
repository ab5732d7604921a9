"""What is asked of a model and what it says: the settings, the contestants, the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from studio.config.speed import SpeedConfig
from studio.core.paths import Workspace

GIB = 2**30
Found = TypeVar("Found")


@dataclass(frozen=True)
class AnswerSettings:
    """How rows are answered.

    Attributes:
        max_new_tokens: Longest answer; it is cut there.
        batch_size: Most rows computed at once; halved by itself when memory runs out.
        features: Folder where features of images are kept; None to keep none.
        answers: Folder where answers are kept; None to keep none.
        feature_bytes: Most bytes that kept features may take.
    """

    max_new_tokens: int = 64
    batch_size: int = 16
    features: Path | None = None
    answers: Path | None = None
    feature_bytes: int = int(SpeedConfig().cache_gigabytes * GIB)

    @classmethod
    def kept_in(
        cls, workspace: Workspace, *, max_new_tokens: int = 64, batch_size: int = 16
    ) -> AnswerSettings:
        """Return settings that keep features (with those of training) and answers in a workspace."""
        features, answers = workspace.cache / "features", workspace.cache / "answers"
        return cls(max_new_tokens, batch_size, features, answers)


@dataclass(frozen=True)
class Contestant:
    """Who answers: the base model, or an adapter on it.

    Attributes:
        name: What results are called by; different for each contestant.
        adapter: Its folder; None for the base model itself.
        same_base: The user says that the base which the adapter names is this one.
    """

    name: str
    adapter: Path | None = None
    same_base: bool = False


@dataclass(frozen=True)
class RowAnswer:
    """One answer to one row.

    Attributes:
        text: Without special tokens and blanks at its ends; empty is an answer too.
        tokens: Tokens written, without the one that ended it.
        seconds: Its share of the time its batch took.
        cut: Whether it reached the longest length before it ended.
        reason: Why there is no answer; empty when there is one.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    cut: bool = False
    reason: str = ""


@dataclass(frozen=True)
class RowSamples:
    """Several answers to one row, in the order of the draws.

    Attributes:
        reason: Why there are none; empty when there are.
    """

    answers: Sequence[RowAnswer] = ()
    reason: str = ""


@dataclass(frozen=True)
class RowScores:
    """How likely given answers to one row are.

    Attributes:
        totals: For each answer its summed log-probability in nats, its end included.
        tokens: For each answer its number of tokens, its end included.
        reason: Why there are none; empty when there are.
    """

    totals: Sequence[float] = ()
    tokens: Sequence[int] = ()
    reason: str = ""


@dataclass(frozen=True)
class Results(Generic[Found]):
    """What all contestants came to.

    Attributes:
        by_name: For each contestant one entry per row, in order; None for rows that were not
            reached because it was stopped.
        stopped: Whether it was stopped before the end.
        known: How many entries were kept from an earlier evaluation.
        notes: What a reader should know of how it was computed, in sentences.
    """

    by_name: dict[str, list[Found | None]]
    stopped: bool
    known: int
    notes: tuple[str, ...] = ()
