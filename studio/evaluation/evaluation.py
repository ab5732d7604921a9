"""What an evaluation is: what was asked for, how far it is, and what it came to.

It lies in a folder of its own, `evaluations/<id>/`: the request and, at the end, the figures
(evaluation.json), the rows as they were (rows.jsonl), every answer as it comes (answers.jsonl).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from studio.evaluation.evaluated_models import EvaluatedModel
from studio.models.answering.sampling_settings import Draw

State = Literal["queued", "running", "stopped", "finished", "failed"]
ENDED: tuple[State, ...] = ("stopped", "finished", "failed")


@dataclass(frozen=True)
class EvaluationRequest:
    """What was asked for.

    Attributes:
        model: Settings of the base model, as `ModelConfig` dumps them.
        models: Who answers, in the order in which they are shown.
        baseline: Name of the model that the others are compared with; empty for no comparison.
        source: Where the rows are from, in words; `data` and `split`, as they were given.
        rows: How many there are.
        left_out: Rows of the source that cannot be read, by the reason.
        metrics: Names, the main one first.
        metric_file: A Python file with a metric of the user's own; empty for none.
        system_prompt: Put before rows that have none; empty for none.
        seen_in_training: For each run, rows with an image that it trained on; -1: not known.
        notes: What a reader should know, in sentences.
        run: The run after whose end it was made; empty for others.
        draws: For each row so many answers are written, each as its draw says, and nothing is
            scored; empty where rows are answered once and scored.
        dataset: Of the library, to which drawn answers go; `rule` chooses the pair of a row.
    """

    model: dict[str, Any]
    models: tuple[EvaluatedModel, ...]
    baseline: str
    data: str
    split: str
    source: str
    rows: int
    left_out: dict[str, int]
    metrics: tuple[str, ...]
    metric_file: str = ""
    max_new_tokens: int = 64
    batch_size: int = 16
    system_prompt: str = ""
    seen_in_training: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    run: str = ""
    draws: tuple[Draw, ...] = ()
    dataset: str = ""
    rule: str = ""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EvaluationRequest:
        """Read what `asdict` has written. Raises TypeError or KeyError for anything else."""
        models = tuple(EvaluatedModel(**one) for one in values["models"])
        given = {**values, "models": models}
        given |= {name: tuple(values[name]) for name in ("metrics", "notes")}
        given["draws"] = tuple(Draw(**one) for one in values.get("draws", ()))
        return cls(**given)


@dataclass(frozen=True)
class EvaluationStatus:
    """How far it is.

    Attributes:
        done, total: Answers and scores.
        seconds: Spent so far, over all attempts.
        pid, pid_started: The process that computes; both must match for it to count as alive.
        message, remedy: Why it failed, in words.
        updated: Seconds since the epoch.
    """

    state: State = "queued"
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    pid: int = 0
    pid_started: float = 0.0
    created: float = 0.0
    updated: float = 0.0
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class RowAnswer:
    """What one model said to one row.

    Attributes:
        text: The answer; empty is an answer too.
        tokens: How many were written.
        cut: Whether it reached the longest length before it ended.
        reason: Why there is no answer; empty where there is one.
    """

    text: str = ""
    tokens: int = 0
    cut: bool = False
    reason: str = ""


@dataclass(frozen=True)
class DrawnAnswers:
    """What one model wrote to one row, in the order of the draws; or why nothing."""

    answers: tuple[RowAnswer, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class AnswerLikelihoods:
    """How likely given answers to a row are: summed log-probabilities and numbers of tokens."""

    totals: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class MetricResult:
    """One metric of one model.

    Attributes:
        value, low, high: With its 95 % interval; None where the rows cannot tell.
        rows: Rows it rests on.
        left_out: Why others are left out, in words; empty where none is.
    """

    value: float | None
    low: float | None
    high: float | None
    rows: int
    left_out: str = ""


@dataclass(frozen=True)
class PairedResult:
    """One metric of one model minus that of the baseline, on the same rows."""

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: str
    rows: int
    rows_needed: int | None
    fixed: int = 0
    broken: int = 0


@dataclass(frozen=True)
class ModelResult:
    """What one model came to.

    Attributes:
        metrics, paired: By the name of the metric.
        empty: Rows answered with nothing, by their ids.
        cut: Answers that reached the longest length.
        failed: Why rows have no answer: row id to reason.
        sentences: What it comes to, in words.
    """

    metrics: dict[str, MetricResult]
    paired: dict[str, PairedResult] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    cut: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowRecord:
    """One row with every model's answer and scores.

    Attributes:
        images: Their names (sha256).
        answers: By the model's name.
        scores: By the model's name and the metric's; None where the metric does not apply.
    """

    row: str
    images: tuple[str, ...]
    question: str
    accepted: tuple[str, ...]
    answers: dict[str, RowAnswer]
    scores: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation as found on disk; `results` and what follows it are empty until its end."""

    evaluation_id: str
    request: EvaluationRequest
    status: EvaluationStatus
    results: dict[str, ModelResult] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    notes: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The model that it is about: the first one that is not the baseline."""
        names = [model.name for model in self.request.models]
        return next((name for name in names if name != self.request.baseline), names[0])

    def to_json(self) -> dict[str, Any]:
        """Return the contract of `evaluate --json`."""
        subject = self.results.get(self.subject)
        found: dict[str, Any] = {
            "id": self.evaluation_id,
            "state": self.status.state,
            "model": self.subject,
            "rows": self.request.rows,
            "seconds": round(self.status.seconds, 3),
            "metrics": {},
        }
        if subject is not None:
            found["metrics"] = {name: asdict(one) for name, one in subject.metrics.items()}
            if self.request.baseline:
                found["against"] = self.request.baseline
                found["paired"] = {name: asdict(one) for name, one in subject.paired.items()}
        found["models"] = {name: asdict(one) for name, one in self.results.items()}
        found["settings"] = asdict(self.request)
        found["versions"] = self.versions
        found["device"] = self.device
        found["notes"] = list(dict.fromkeys([*self.request.notes, *self.notes]))
        found["message"], found["remedy"] = self.status.message, self.status.remedy
        return found
