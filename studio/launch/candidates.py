"""Candidates: answers that models write to rows, into the library as they come, to be judged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.library.preflight_rows import library_rows
from studio.annotation.library.trainable_rows import parse_library
from studio.core.errors import InputError, NotFoundError
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.schema import Row
from studio.data.sources.registry import LIBRARY
from studio.evaluation.candidate_pairs import CandidateRow, candidate_row, check_rule
from studio.evaluation.candidate_pictures import ALL, NONE, SPOILT, WORDS
from studio.evaluation.candidate_questions import (
    INSTRUCTION,
    QuestionRows,
    asking_rows,
    question_rows,
)
from studio.evaluation.evaluated_models import BASE, EvaluatedModel
from studio.evaluation.evaluated_rows import RowChoice, choose_rows, chosen, read_rows
from studio.evaluation.evaluation import DrawnAnswers, Evaluation
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore, read_drawn
from studio.metrics.style_tells import style_tells
from studio.models.answering.sampling_settings import GREEDY, Draw

DIFFERENT, MARGIN, QUESTIONS = "different", "margin", "questions"
RECIPES = {
    "greedy+hot": "the first answer is the likeliest one, the others are drawn",
    "base+adapter": "the base writes beside the adapters",
    "with+without-image": "each writes with the image and without it",
    "corrupted-image": "each writes with the image and with one spoilt on purpose, whose answers are "
    "the worse ones of their pairs",
}
PICTURES = {"with+without-image": (ALL, NONE), "corrupted-image": (ALL, SPOILT)}
"""What is seen of the images; with several every model writes in each way."""
COUNTED = ("rows", "answers", "pairs", "repeats", "empty", "failed")
MOST_ANSWERS = 32
HOTTEST = 5.0


def draws_of(
    count: int, *, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0, greedy: bool = False
) -> tuple[Draw, ...]:
    """Return how `count` answers to each row are drawn.

    Args:
        greedy: Let the first be the likeliest answer.

    Raises:
        InputError: A number is out of bounds; `field` names it.
    """
    if not 1 <= count <= MOST_ANSWERS:
        raise InputError(
            f"{count} answers a row: 1 to {MOST_ANSWERS} can be written.",
            remedy="Change it.",
            field="answers",
        )
    if not GREEDY <= temperature <= HOTTEST:
        raise InputError(
            f"The temperature is {temperature:g}; it can be from 0 to {HOTTEST:g}.",
            remedy="Around 1 is usual; 0 writes the same answer every time.",
            field="temperature",
        )
    if not 0 < top_p <= 1:
        raise InputError(
            f"Top-p is {top_p:g}; it is a share above 0, at most 1.",
            remedy="1 draws from all tokens.",
            field="top_p",
        )
    if temperature == GREEDY and count > 1:
        raise InputError(
            "At temperature 0 all answers are the same.",
            remedy="Raise it, or ask for one answer.",
            field="temperature",
        )
    first = Draw(GREEDY, 1.0, seed) if greedy else Draw(temperature, top_p, seed)
    return (first, *[Draw(temperature, top_p, seed)] * (count - 1))


def create_candidates(
    workspace: Workspace,
    wanted: Wanted,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    unanswered: bool = False,
    store: AnnotationStore | None = None,
    recipe: str = "",
    questions: bool = False,
    here: bool = False,
    without: Collection[tuple[tuple[str, ...], str]] = (),
) -> Evaluation:
    """Write down which answers are to be written; nothing is computed.

    Rows of a dataset of the library get their answers there; others make a dataset.

    Args:
        questions: Questions about the rows' images are written instead, each a row of a new
            dataset; what the rows ask is not looked at.
        unanswered: Only rows of the library that have no answer yet.
        recipe: One of `RECIPES`; empty for none.
        here: This process will write them, not a studio that takes them from the queue.
        without: Images and question of rows that are passed over.

    Raises:
        InputError: Something is unknown, or there is no such row.
    """
    wanted = _by_recipe(wanted, recipe)
    rule: str = check_rule(wanted.rule or DIFFERENT)
    if questions:
        columns = {"question": f"={INSTRUCTION}", **(columns or {})}
    most = None if without else limit
    found, dataset = _rows(workspace, wanted, columns, most, unanswered, store)
    if without:
        found = _others(found, without, limit)
    if questions:
        found, dataset, rule = _asking(found, columns), f"questions {_now()}", QUESTIONS
    to = wanted.dataset.strip() or dataset
    request, rows = prepare_request(replace(wanted, dataset=to, rule=rule), found, workspace)
    request = replace(request, models=_writers(request.models, PICTURES.get(recipe, (ALL,))))
    if rule == MARGIN:
        _ensure_margin(request.models)
    return EvaluationStore(workspace).create(request, rows, here=here)


def _others(
    found: RowChoice, without: Collection[tuple[tuple[str, ...], str]], limit: int | None
) -> RowChoice:
    """The first rows that are none of those passed over."""
    rows = [row for row in found.rows if (row.images, row.question) not in without]
    if not rows:
        raise InputError(
            f"Every row of {found.source} was answered in an earlier round.",
            remedy="Name other rows, or add some to the library.",
            field="data",
        )
    return replace(found, rows=tuple(rows[:limit]))


def _asking(found: RowChoice, columns: Mapping[str, str] | None) -> RowChoice:
    """The images of rows, each with the request to ask something about them."""
    given = (columns or {}).get("question", "")
    instruction = given[1:] if given.startswith("=") else INSTRUCTION
    rows = asking_rows(found.rows, instruction)
    if not rows:
        raise InputError(
            f"No row of {found.source} has an image to ask about.",
            remedy="Choose rows with images.",
            field="data",
        )
    return replace(found, rows=tuple(rows))


def _now() -> str:
    return time.strftime("%Y%m%d-%H%M%S")


def _by_recipe(wanted: Wanted, recipe: str) -> Wanted:
    if recipe and recipe not in RECIPES:
        raise InputError(
            f"There is no recipe {recipe[:40]!r}.",
            remedy=f"Choose one of: {', '.join(RECIPES)}.",
            field="recipe",
        )
    if recipe == "base+adapter":
        return replace(wanted, against=wanted.against or BASE)
    if recipe == "greedy+hot" and len(wanted.draws) > 1:
        first = replace(wanted.draws[0], temperature=GREEDY, top_p=1.0)
        return replace(wanted, draws=(first, *wanted.draws[1:]))
    return wanted


def _writers(
    models: Sequence[EvaluatedModel], pictures: Sequence[str]
) -> tuple[EvaluatedModel, ...]:
    """Every model as often as there are ways to see the images, under a name for each."""
    return tuple(
        replace(model, name=f"{model.name} ({WORDS[picture]})", picture=picture)
        if picture
        else model
        for model in models
        for picture in pictures
    )


def _ensure_margin(models: Sequence[EvaluatedModel]) -> None:
    """Margins are those of one adapter over its base."""
    kinds = sorted((model.model, bool(model.adapter), model.picture) for model in models)
    if len(models) != 2 or kinds[1] != (kinds[0][0], True, ALL) or kinds[0][1:] != (False, ALL):
        raise InputError(
            "A margin is how much more an adapter likes an answer than its base does.",
            remedy="Let the base and one adapter write: --adapter RUN --against base.",
            field="rule",
        )


def _rows(
    workspace: Workspace,
    wanted: Wanted,
    columns: Mapping[str, str] | None,
    limit: int | None,
    unanswered: bool,
    store: AnnotationStore | None,
) -> tuple[RowChoice, str]:
    """The rows, and the dataset they belong to."""
    spec = wanted.data.strip()
    if not spec.startswith(LIBRARY):
        split = wanted.split or None
        found = choose_rows(spec, workspace, split=split, columns=columns, limit=limit)
        return found, f"candidates {_now()}"
    where = parse_library(spec)
    dataset = where.dataset or ""
    opened = store or AnnotationStore(workspace.database_url)
    try:
        entries = (entry.row for entry in library_rows(opened, dataset, where).entries())
        items = (row for row in entries if isinstance(row, Row))
        rows = (row for row in items if not (unanswered and _is_answered(row)))
        taken = list(islice(rows, limit))
    finally:
        if store is None:
            opened.close()
    if not taken:
        raise InputError(
            f"Every row of {dataset} has an answer already.",
            remedy="Let answers be written to all rows.",
            field="data",
        )
    return chosen(spec, taken, limit), dataset


def _is_answered(row: Row) -> bool:
    return bool(row.completion or row.chosen or row.candidates)


@dataclass
class Delivery:
    """Brings drawn answers into the library, each once, however often it is called.

    Attributes:
        counts: `rows`, `pairs`, `answers`, and what was left out: `repeats`, `empty`, `failed`.
    """

    workspace: Workspace
    evaluation: Evaluation
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        store = EvaluationStore(self.workspace)
        self._rows = read_rows(store.paths(self.evaluation).rows)
        request = self.evaluation.request
        self._decoding = {
            model.name: [
                {
                    "model": model.model,
                    "run": model.run,
                    "step": model.step,
                    "temperature": draw.temperature,
                    "top_p": draw.top_p,
                    "seed": draw.seed,
                    "place": place,
                    **({"picture": WORDS[model.picture]} if model.picture else {}),
                    "evaluation": self.evaluation.evaluation_id,
                    "at": round(time.time()),
                }
                for place, draw in enumerate(request.draws)
            ]
            for model in request.models
        }

    def __call__(
        self,
        found: Mapping[str, Mapping[int, DrawnAnswers]],
        margins: Mapping[int, Mapping[str, float]] | None = None,
    ) -> None:
        """Add rows with their answers to the dataset; all of them are on the disk afterwards.

        Raises:
            DataError: The database takes no more.
            NotFoundError: The dataset that the rows are from is gone.
        """
        rows: list[Row] = []
        numbers = sorted({number for batch in found.values() for number in batch})
        for number in numbers:
            drawn = {name: batch[number] for name, batch in found.items() if number in batch}
            if self._questions:
                rows += self.ask(number, drawn).rows
                continue
            if not self._extends:
                rows.append(self._rows[number])  # with the answers that it came with
            made = self.pair(number, drawn, (margins or {}).get(number))
            if made.row is not None:
                rows.append(made.row)
        if not rows:
            return
        kind = "questions" if self._questions else "candidates"
        source = f"{kind} {self.evaluation.evaluation_id}"
        dataset = self.evaluation.request.dataset
        with closing(AnnotationStore(self.workspace.database_url)) as store:
            if self._extends:
                rows = self._unchanged(store, rows)
            with store.importing(dataset, source=source, on_change="keep") as batch:
                batch.add_rows(rows)
        self.counts["changed"] += batch.report.changed

    def pair(
        self,
        number: int,
        drawn: Mapping[str, DrawnAnswers],
        margins: Mapping[str, float] | None = None,
    ) -> CandidateRow:
        """Choose the pair of a row, and count what came of it."""
        bad = (one.name for one in self.evaluation.request.models if one.picture == SPOILT)
        made = candidate_row(
            self._rows[number], drawn, self._decoding, margins=margins, known_bad=frozenset(bad)
        )
        found = {"rows": 1, "answers": made.written, "repeats": made.repeats, "empty": made.empty}
        self.counts.update({**found, "pairs": made.paired})
        self.counts["failed"] += any(one.reason for one in drawn.values())
        return made

    def ask(self, number: int, drawn: Mapping[str, DrawnAnswers]) -> QuestionRows:
        """Make rows of the questions about a row's images, and count what came of it."""
        made = question_rows(self._rows[number], drawn, self._decoding)
        found = {"rows": 1, "answers": made.written, "repeats": made.repeats, "empty": made.others}
        self.counts.update({**found, "pairs": 0})
        self.counts["failed"] += any(one.reason for one in drawn.values())
        return made

    @property
    def _questions(self) -> bool:
        """Whether questions are written, not answers."""
        return self.evaluation.request.rule == QUESTIONS

    @property
    def _extends(self) -> bool:
        """Whether the answers go to the rows of the library that were read."""
        request = self.evaluation.request
        if self._questions or not request.data.startswith(LIBRARY):
            return False
        return parse_library(request.data).dataset == request.dataset

    def _unchanged(self, store: AnnotationStore, rows: Sequence[Row]) -> list[Row]:
        """Leave out rows that ask something else by now, or are in the bin.

        Raises:
            NotFoundError: The dataset is gone; it is not made anew.
        """
        dataset = self.evaluation.request.dataset
        there = {one.name: one.items for one in store.datasets()}
        if not there.get(dataset):
            raise NotFoundError(
                f"The dataset {dataset!r} is gone, and with it the rows that these answers are for.",
                remedy="Take its rows out of the bin, then go on with: python -m studio candidates "
                f"--resume {self.evaluation.evaluation_id}",
            )
        now = store.prompts(dataset, [row.external_id for row in rows])
        same = [row for row in rows if now.get(row.external_id) == (row.images, row.prompt)]
        self.counts["changed"] += len(rows) - len(same)
        return same


def delivery_of(workspace: Workspace, evaluation_id: str) -> Callable[..., Any] | None:
    """Return what brings an evaluation's answers into the library; None where none are drawn."""
    evaluation = EvaluationStore(workspace).get(evaluation_id)
    return Delivery(workspace, evaluation) if evaluation.request.draws else None


def outcome_of(workspace: Workspace, evaluation: Evaluation, changed: int = 0) -> Outcome:
    """Count again what was written, from what is on the disk, and say it.

    Args:
        changed: Rows that were other ones in the library by then.

    Raises:
        InputError: The rows cannot be read.
    """
    delivery = Delivery(workspace, evaluation)
    names = [model.name for model in evaluation.request.models]
    drawn = read_drawn(EvaluationStore(workspace).paths(evaluation))
    said: dict[str, list[str]] = {name: [] for name in names}
    for number in range(evaluation.request.rows):
        found = {name: drawn[name, number] for name in names if (name, number) in drawn}
        for name, one in found.items():
            said[name] += [answer.text for answer in one.answers if answer.text.strip()]
        if len(found) < len(names):
            continue
        if evaluation.request.rule == QUESTIONS:
            delivery.ask(number, found)
        else:
            delivery.pair(number, found)
    counts = {name: delivery.counts[name] for name in COUNTED} | {"changed": changed}
    if evaluation.request.rule == QUESTIONS:
        return Outcome(counts, questions=True)
    return Outcome(counts, tuple(style_tells(said)))


@dataclass(frozen=True)
class Outcome:
    """What came of candidates.

    Attributes:
        counts: As `Delivery.counts`.
        tells: What gives writers away to whoever is to judge blind, in sentences.
        questions: Questions were written, not answers.
    """

    counts: Mapping[str, int]
    tells: tuple[str, ...] = ()
    questions: bool = False

    @property
    def sentences(self) -> tuple[str, ...]:
        """It in words."""
        counts = Counter(self.counts)
        if self.questions:
            return _about_questions(counts)
        answers, rows = counted(counts["answers"], "answer"), counted(counts["rows"])
        found = [f"{answers} to {rows}; {counted(counts['pairs'], 'pair')} to be labelled."]
        told = (
            ("repeats", "answer", "said the same as another, but for small words: left out."),
            ("empty", "answer", "ended at once and was empty: left out."),
            ("failed", "row", "could not be answered by every writer."),
            ("changed", "row", "is another one by now, or in the bin: left as it is."),
        )
        for name, thing, words in told:
            if number := counts[name]:
                many = words.replace("was empty", "were empty").replace(
                    "is another one", "are others"
                )
                found.append(f"{counted(number, thing)} {words if number == 1 else many}")
        alike = counts["rows"] - counts["pairs"] - counts["failed"]
        if counts["answers"] and alike > 0:
            some = f"{counted(alike)} got no two different answers, so no pair"
            none = "No row has two different answers"
            found.append(
                f"{some if counts['pairs'] else none}: raise the temperature, or let two models write."
            )
        if self.tells:
            found.append(f"Whoever labels may tell the writers apart: {'; '.join(self.tells)}.")
        return tuple(found)


def _about_questions(counts: Counter[str]) -> tuple[str, ...]:
    different = counts["answers"] - counts["repeats"]
    about = counted(counts["rows"], "image", "images")
    found = [f"{counted(different, 'question')} about {about}, each a row without an answer."]
    if counts["repeats"]:
        found.append(
            f"{counted(counts['repeats'], 'question')} asked the same as another: left out."
        )
    if counts["empty"]:
        found.append(f"{counted(counts['empty'], 'text')} asked nothing: left out.")
    if counts["failed"]:
        found.append(f"{counted(counts['failed'], 'image')} could not be asked about.")
    return tuple(found)
