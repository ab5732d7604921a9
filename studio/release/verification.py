"""Whether an artefact answers as the run it was made of: asked in a fresh process, or refused."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from studio.core.errors import RunFailedError

if TYPE_CHECKING:
    from studio.release.trained_answers import TrainedAnswers

logger = logging.getLogger(__name__)
SCRIPT = Path(__file__).with_name("plain_model.py")
LEAST_EQUAL = 0.99
TOLERANCES = {"float32": 0.001, "float16": 0.1, "bfloat16": 0.5}
"""By the coarsest number format that takes part: the largest difference, in nats, that one token's
log-probability may have. Rounding to a format moves it; another model moves it by far more."""
LAST_LINES = 3


class Judged(Protocol):
    """What came of asking an artefact."""

    @property
    def problem(self) -> str:
        """Why it is no release; empty for a release."""
        ...


@dataclass(frozen=True)
class Verification:
    """What came of asking an artefact the same as the run.

    Attributes:
        rows, source: How many questions, and where they are from.
        equal: Share of greedy answers that are the run's, token by token.
        largest: Largest difference of a token's log-probability to the run's, in nats.
        tolerance: What `largest` may be.
        base_equal: Share of answers that are the base's.
        base_largest: Largest difference of a token's log-probability to the base's.
        run_base_largest: The same between run and base: what training changed.
        dtype: What the artefact was loaded in.
    """

    rows: int
    source: str
    equal: float
    largest: float
    tolerance: float
    base_equal: float
    base_largest: float
    run_base_largest: float
    dtype: str

    @property
    def problem(self) -> str:
        """Why this is no release, as a sentence; empty for a release."""
        if self.run_base_largest <= self.tolerance:
            return (
                f"The run answers as its base does (largest difference of a token's log-probability "
                f"{self.run_base_largest:.2g} nats, tolerance {self.tolerance:g}), so nothing could "
                "show that its training arrived."
            )
        if self.base_largest <= self.tolerance:
            return (
                f"What was written answers as the base does, not as the run: a token's "
                f"log-probability differs from the base's by at most {self.base_largest:.2g} nats, "
                f"from the run's by up to {self.largest:.2g}."
            )
        if self.equal < LEAST_EQUAL:
            return (
                f"What was written gives {100 * self.equal:.1f} % of the run's answers on "
                f"{self.rows:,} rows; {100 * LEAST_EQUAL:.0f} % are asked for."
            )
        if self.largest > self.tolerance:
            return (
                f"A token's log-probability differs from the run's by {self.largest:.2g} nats; "
                f"{self.tolerance:g} are allowed in {self.dtype}."
            )
        return ""

    @property
    def sentence(self) -> str:
        """What it came to, for a reader."""
        return (
            f"{100 * self.equal:.1f} % of {self.rows:,} greedy answers are those of the run, a "
            f"token's log-probability differs by at most {self.largest:.2g} nats (allowed "
            f"{self.tolerance:g}); {100 * self.base_equal:.1f} % are those of the base, which "
            f"differs by up to {self.base_largest:.2g} nats."
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, with what is asked for and what it came to."""
        verdict = self.problem or "as the run"
        return {
            **asdict(self),
            "least_equal": LEAST_EQUAL,
            "verdict": verdict,
            "sentence": self.sentence,
        }


def verify(trained: TrainedAnswers, where: Mapping[str, Any]) -> Verification:
    """Ask an artefact, in a fresh process, what the run was asked, and compare.

    Args:
        where: What `plain_model.load` takes.

    Raises:
        RunFailedError: It cannot be loaded or asked at all.
    """
    found = _asked(trained, where)
    return compared(trained, found, str(where["dtype"]))


def compared(trained: TrainedAnswers, found: list[dict[str, Any]], dtype: str) -> Verification:
    """Compare the answers of an artefact with those of the run and its base."""
    formats = {dtype, trained.dtype}
    return Verification(
        rows=len(found),
        source=trained.questions.source,
        equal=_equal(trained.run, found),
        largest=_largest(trained.run, found),
        tolerance=max(TOLERANCES.get(name, TOLERANCES["bfloat16"]) for name in formats),
        base_equal=_equal(trained.base, found),
        base_largest=_largest(trained.base, found),
        run_base_largest=_largest(trained.base, trained.run),
        dtype=dtype,
    )


def ensure_release(found: Judged, what: str) -> None:
    """Refuse what does not answer as the run.

    Raises:
        RunFailedError: With the reason; the run is as it was.
    """
    if found.problem:
        raise RunFailedError(
            f"The {what} is no release. {found.problem}",
            remedy="Nothing was kept of it; the run is as it was. docs/release.md says what helps.",
        )


def said_of(report: Mapping[str, Any]) -> str:
    """Return the sentence of the verification that a report holds."""
    return str(report["verification"]["sentence"])


def _asked(trained: TrainedAnswers, where: Mapping[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = Path(folder, "questions.json"), Path(folder, "answers.json")
        asked = {
            "where": dict(where),
            "rows": list(trained.questions.rows),
            "longest": trained.longest,
            "given": [one["tokens"] for one in trained.run],
        }
        questions.write_text(json.dumps(asked), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(questions), str(answers)],
            cwd=folder,
            env={**os.environ, "TRANSFORMERS_VERBOSITY": "error", "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0 and answers.is_file():
            return json.loads(answers.read_text(encoding="utf-8"))
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    logger.error("%s", done.stdout)
    said = " / ".join(lines[-LAST_LINES:]) or f"its process ended with {done.returncode}"
    raise RunFailedError(
        f"What was written cannot be loaded with transformers: {said[-600:]}",
        remedy="Nothing was kept of it; the run is as it was.",
    )


def _equal(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    same = sum(a["tokens"] == b["tokens"] for a, b in zip(one, other, strict=True))
    return same / len(one)


def _largest(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    return max(
        (
            _apart(x, y)
            for a, b in zip(one, other, strict=True)
            for x, y in zip(a["log_probs"], b["log_probs"], strict=True)
        ),
        default=0.0,
    )


def _apart(one: float, other: float) -> float:
    """How far two log-probabilities are apart; endlessly where one is no number."""
    return abs(one - other) if math.isfinite(one) and math.isfinite(other) else math.inf
