"""Once around the loop on the embedded model, with before and after.

SFT on the skill it was never taught, then pairs through the annotation store (a rule stands in
for the person), DPO against its habit, the same held-out charts before and after each, and a blind
match between what came of it and the base. DPO
begins with the base, or trains SFT's adapter further: then one adapter has learned both.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.export.preference_export import export_preferences
from studio.annotation.labeling.rule_annotator import judge_until, label_all, unlabelled
from studio.config import RunConfig, presets
from studio.config.adapter import AdapterConfig
from studio.core.errors import RunFailedError
from studio.core.paths import EMBEDDED, Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.sources import open_source
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.evaluated_rows import RowChoice
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore
from studio.launch.foreground_run import follow, start_now
from studio.launch.matches import create_match, match_standing
from studio.runs.store import Run

GAP, HABIT = "report", "lowest"
EXACT, HELD_OUT, MATCH_ROWS = "exact_match", "embedded:heldout", 40
DATASET = "demo-pairs"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Heldout:
    """Rows that nothing is trained on."""

    taught: list[Row]
    gap: list[Row]
    habit: list[Row]
    pairs: list[Row]


@dataclass(frozen=True)
class Scores:
    """One model on the held-out rows; shares between 0 and 1."""

    gap_exact_match: float
    taught_exact_match: float
    evasive_rate: float
    habit_exact_match: float
    preference_accuracy: float


@dataclass(frozen=True)
class Answered:
    """What one model said to the demonstration question."""

    model: str
    text: str


@dataclass(frozen=True)
class Judged:
    """A blind match of the DPO run against the base, judged by the rule until it is told.

    Attributes:
        value, low, high: The run's win rate with its 95 % confidence sequence.
        pairs: How many there were to judge; `stopped_early` with fewer votes.
        sentence: What it comes to, in words.
    """

    match: str
    value: float
    low: float
    high: float
    votes: int
    pairs: int
    sentence: str

    @property
    def stopped_early(self) -> bool:
        """Whether it was told before the last pair."""
        return self.votes < self.pairs


@dataclass(frozen=True)
class DemoResult:
    """Everything the demo measured.

    Attributes:
        continued: Whether DPO trained SFT's adapter further.
    """

    base: Scores
    sft: Scores
    dpo: Scores
    sft_run: Run
    dpo_run: Run
    pairs_labelled: int
    question: str
    expected: str
    answers: list[Answered]
    judged: Judged
    continued: bool = False

    def to_json(self) -> dict[str, Any]:
        """The contract of `demo --json`."""
        return {
            "sft": {
                "exact_match_before": self.base.gap_exact_match,
                "exact_match_after": self.sft.gap_exact_match,
                "seconds": self.sft_run.status.training_seconds,
                "run_id": self.sft_run.run_id,
            },
            "dpo": {
                "preference_accuracy_before": self.base.preference_accuracy,
                "preference_accuracy_after": self.dpo.preference_accuracy,
                "evasive_rate_before": self.base.evasive_rate,
                "evasive_rate_after": self.dpo.evasive_rate,
                "exact_match_before": self.base.taught_exact_match,
                "exact_match_after": self.dpo.taught_exact_match,
                "habit_exact_match_before": self.base.habit_exact_match,
                "habit_exact_match_after": self.dpo.habit_exact_match,
                "seconds": self.dpo_run.status.training_seconds,
                "run_id": self.dpo_run.run_id,
                "pairs": self.pairs_labelled,
                "labelled_by": "rule (stands in for a person)",
            },
            "question": {
                "text": self.question,
                "expected": self.expected,
                "answers": {answer.model: answer.text for answer in self.answers},
            },
            "win_rate": {**asdict(self.judged), "stopped_early": self.judged.stopped_early},
            "continued": self.continued,
            "scores": {
                "base": asdict(self.base),
                "sft": asdict(self.sft),
                "dpo": asdict(self.dpo),
            },
            "ok": True,
        }


def run_demo(
    workspace: Workspace, say: Say, quiet: bool = False, continued: bool = False
) -> DemoResult:
    """The whole loop. `say` is told each step.

    Args:
        continued: Let DPO train SFT's adapter further.

    Raises:
        RunFailedError: A run did not finish.
    """
    from studio.evaluation.embedded_benchmark import Bench

    images = ImageStore(workspace)
    heldout = _heldout(workspace)
    bench = Bench(images)
    say("Measuring the embedded model on held-out charts …")
    base = _scores(bench, heldout, None)
    say("SFT on the report line, which it was never taught …")
    sft_run = _train(presets.load("embedded-sft"), workspace, quiet)
    sft = _scores(bench, heldout, sft_run)
    source, count = _annotate(workspace, images, say)
    say("DPO against its habit of evading …")
    config = second_step(sft_run.run_id) if continued else dpo_alone()
    data = config.data.model_copy(update={"source": source, "evaluation": None})
    dpo_run = _train(config.model_copy(update={"data": data}), workspace, quiet)
    dpo = _scores(bench, heldout, dpo_run)
    row = _evaded(bench, heldout.habit)
    answers = [
        Answered(name, bench.answer(row, run))
        for name, run in (("base", None), ("sft", sft_run), ("dpo", dpo_run))
    ]
    expected = row.completion.text if row.completion else ""
    asked = (row.question, expected, answers)
    say("A blind match against the base; the rule judges until it is told who is better …")
    judged = _judge(workspace, heldout.habit, dpo_run)
    return DemoResult(base, sft, dpo, sft_run, dpo_run, count, *asked, judged, continued)


def dpo_alone() -> RunConfig:
    """The recipe of DPO with a new adapter, which begins at zero and takes twice as long."""
    config = presets.load("embedded-dpo")
    schedule = config.schedule.model_copy(update={"epochs": 2 * config.schedule.epochs})
    return config.model_copy(update={"schedule": schedule})


def second_step(first: str) -> RunConfig:
    """The recipe of DPO, on the adapter of the run `first` instead of a new one."""
    config = presets.load("embedded-dpo")
    adapter = (config.adapter or AdapterConfig()).model_copy(update={"continue_from": first})
    return config.model_copy(update={"adapter": adapter})


def _heldout(workspace: Workspace) -> Heldout:
    rows = _rows("embedded:heldout", "train", workspace)
    return Heldout(
        taught=[row for row in rows if _kind(row) not in (GAP, HABIT)],
        gap=[row for row in _rows("embedded:sft", "evaluation", workspace) if _kind(row) == GAP],
        habit=[row for row in rows if _kind(row) == HABIT],
        pairs=_rows("embedded:preferences", "evaluation", workspace),
    )


def _kind(row: Row) -> Any:
    return row.meta.get("kind")


def _rows(source: str, split: str, workspace: Workspace) -> list[Row]:
    opened = open_source(source, split=split, columns=None, workspace=workspace)
    return [row for row in opened.rows() if isinstance(row, Row)]


def _scores(bench: Any, heldout: Heldout, run: Run | None) -> Scores:
    from studio.evaluation.evaluation_examples import references_of
    from studio.metrics import evasive_rate, exact_match

    habit = bench.answers(heldout.habit, run)
    return Scores(
        gap_exact_match=exact_match(bench.answers(heldout.gap, run), references_of(heldout.gap)),
        taught_exact_match=exact_match(
            bench.answers(heldout.taught, run), references_of(heldout.taught)
        ),
        evasive_rate=evasive_rate(habit),
        habit_exact_match=exact_match(habit, references_of(heldout.habit)),
        preference_accuracy=bench.preference_accuracy(heldout.pairs, run),
    )


def _evaded(bench: Any, rows: list[Row]) -> Row:
    """The first row whose question the base model evades, else the first."""
    from studio.metrics import is_evasive

    answers = zip(rows, bench.answers(rows), strict=True)
    return next((row for row, answer in answers if is_evasive(answer)), rows[0])


def _train(config: RunConfig, workspace: Workspace, quiet: bool) -> Run:
    run = start_now(config, workspace)
    status = follow(run, quiet=quiet)
    if status.state != "finished":
        raise RunFailedError(
            f"The demo's {config.method.upper()} run {run.run_id} {status.state}: {status.message}",
            remedy=status.remedy or f"Its log is {run.paths.log}.",
        )
    return Run(run.paths, status)


def _judge(workspace: Workspace, rows: list[Row], run: Run) -> Judged:
    """Let the base and the run answer held-out rows, and the rule judge pairs until that is told."""
    from studio.evaluation.evaluation_worker import compute

    wanted = Wanted(EMBEDDED, (run.run_id,), against=BASE, metrics=(EXACT,), data=HELD_OUT)
    chosen = RowChoice("held-out questions of the habit", tuple(rows[:MATCH_ROWS]), {})
    made = EvaluationStore(workspace).create(*prepare_request(wanted, chosen, workspace), here=True)
    compute(workspace, made.evaluation_id)
    right = {(row.images, row.question): row.accepted for row in rows}
    with closing(AnnotationStore(workspace.database_url)) as store:
        match = create_match(workspace, made.evaluation_id, store=store)

        def told() -> bool:
            return match_standing(workspace, match.match_id, store=store).stop

        votes = judge_until(store, match.dataset, right, told)
        standing = match_standing(workspace, match.match_id, store=store)
    (pair,) = standing.pairs
    value = 0.5 if pair.value is None else pair.value
    figures = (value, pair.low, pair.high, votes, len(match.pairs))
    return Judged(match.match_id, *figures, pair.sentence)


def _annotate(workspace: Workspace, images: ImageStore, say: Say) -> tuple[str, int]:
    say("Labelling pairs in the annotation store; a rule stands in for a person …")
    rows = _rows("embedded:preferences", "train", workspace)
    preferred = {(row.images, row.question): row.chosen.text for row in rows if row.chosen}
    store = AnnotationStore(workspace.database_url)
    store.add_rows(DATASET, unlabelled(rows))
    label_all(store, DATASET, preferred)
    made = export_preferences(store, images, workspace, dataset=DATASET, name=DATASET)
    store.close()
    say(f"{made.rows} labelled pairs frozen in {made.source}")
    return made.source, made.rows
