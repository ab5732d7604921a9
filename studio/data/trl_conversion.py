"""Rows → the datasets TRL trains on; rows that must not be trained on are counted, with reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from studio.core.errors import DataError, NotFoundError, source_error
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.image_split import split_by_image
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, BadRow, Row
from studio.data.sources import open_source
from studio.data.template_adaptation import ANY_MODEL, Fit, answers_apart, whole_id
from studio.data.trl_format import (
    ANSWERS,
    SCORED,
    Method,
    answer_messages,
    features,
    prompt_messages,
    system_in_question,
    trl_columns,
)

if TYPE_CHECKING:
    from datasets import Dataset

IDENTICAL = "chosen and rejected are the same"
Turns = Literal["all", "last"]


@dataclass(frozen=True)
class RowName:
    """Which row it is: its place in its split of the source, from 1, and its id."""

    number: int
    id: str

    def __str__(self) -> str:
        return f"row {self.number} ({self.id[:40]})" if self.id else f"row {self.number}"


@dataclass(frozen=True)
class TrainingData:
    """Rows ready for a trainer.

    Attributes:
        dataset: TRL's columns; `images` decodes to RGB on access. With several answers to score in
            a row, also `scored`: the places of the earlier ones in its prompt.
        used: Number of rows in it.
        skipped: The rows left out, with the reason.
        names: Which row each of them is.
        earlier: For each row, its answers before the last one, and how many of them are scored.
        merged: Rows whose system text was put in front of their question.
        apart: Rows that are one answer of a conversation of several.
    """

    dataset: Dataset
    used: int
    skipped: list[BadRow]
    names: tuple[RowName, ...] = ()
    earlier: tuple[tuple[int, int], ...] = ()
    merged: tuple[RowName, ...] = ()
    apart: int = 0

    @property
    def scored(self) -> int:
        """Answers that are scored, in all rows."""
        return self.used + sum(scored for _, scored in self.earlier)

    @property
    def unscored(self) -> int:
        """Earlier answers that are read only."""
        return sum(there - scored for there, scored in self.earlier)

    def without(self, numbers: Mapping[int, str]) -> TrainingData:
        """Leave some rows out.

        Args:
            numbers: Places in `dataset`, with the reason why they are left out.
        """
        if not numbers:
            return self
        kept = [place for place in range(self.used) if place not in numbers]
        left = [BadRow(self.names[place].number, reason) for place, reason in numbers.items()]
        table = self.dataset.with_format(None).select(kept)
        return replace(
            self,
            dataset=table.with_transform(trl_columns),
            used=len(kept),
            skipped=[*self.skipped, *left],
            names=tuple(self.names[place] for place in kept),
            earlier=tuple(self.earlier[place] for place in kept),
        )


def training_dataset(
    rows: Iterable[Row | BadRow],
    method: Method,
    *,
    images: ImageStore,
    system_prompt: str | None = None,
    special_tokens: Sequence[str] = (),
    turns: Turns = "all",
    fit: Fit = ANY_MODEL,
) -> TrainingData:
    """Convert rows to `images` + `prompt` + `completion` (sft) or `chosen`, `rejected` (dpo).

    For sft a row without a completion but with a preference trains on its chosen answer.

    Args:
        rows: Good rows, and bad ones to be passed on as skipped.
        special_tokens: Rows whose text contains one of these literally are skipped.
        turns: For sft, whether earlier answers of a conversation are scored too.
        fit: How the model's chat template wants the rows.

    Raises:
        DataError: No row can be used; `field` is `data.source`.
    """
    used: list[Row] = []
    names: list[RowName] = []
    skipped: list[BadRow] = []
    every = method == "sft" and turns == "all"
    apart = 0
    for line, row in enumerate(rows, 1):
        if isinstance(row, BadRow):
            skipped.append(row)
            continue
        reason = unusable(row, method, images) or _special(row, special_tokens)
        if reason:
            skipped.append(BadRow(line, reason))
            continue
        parts = answers_apart(row) if every and fit.parts(row) else [row]
        apart += len(parts) if len(parts) > 1 else 0
        used += parts
        names += [RowName(line, part.external_id) for part in parts]
    if not used:
        raise _nothing_left(skipped, method)
    dataset, merged = _dataset(used, method, images, system_prompt, fit, every)
    earlier = []
    for row in used:
        answers = [message for message in row.prompt if message.role == "assistant"]
        earlier.append((len(answers), sum(one.learned for one in answers) if every else 0))
    changed = tuple(names[place] for place in merged)
    return TrainingData(dataset, len(used), skipped, tuple(names), tuple(earlier), changed, apart)


def load_training_data(
    *,
    source: str,
    train: str = "train",
    evaluation: str | None = None,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, object] | None = None,
    system_prompt: str | None = None,
    method: Method,
    workspace: Workspace,
    special_tokens: Sequence[str] = (),
    turns: Turns = "all",
    fit: Fit = ANY_MODEL,
) -> tuple[TrainingData, TrainingData | None]:
    """Load (train, evaluation) of a run; no image is in both.

    Args:
        train: A split or a slice of one.
        evaluation: A split or slice, None for none, or a share such as "10%" of the training
            rows to be held out by image.
        where: Column → value that a row must have to be used.
        turns, fit: As for `training_dataset`.

    Raises:
        DataError: The source, a split or a column is missing, or no row can be used.
    """
    images = ImageStore(workspace)

    def read(split: str, field: str) -> list[Row | BadRow]:
        opened = open_source(
            source,
            split=split,
            columns=columns,
            workspace=workspace,
            split_field=field,
            where=where,
        )
        rows = list(opened.rows())
        if where and not rows:
            wanted = ", ".join(f"{name}: {value}" for name, value in where.items())
            raise DataError(
                f"No row of {split} has {wanted}.",
                remedy="Correct the value, or empty it to use all rows.",
                field="data.where",
            )
        return rows

    def convert(rows: Iterable[Row | BadRow]) -> TrainingData:
        return training_dataset(
            rows,
            method,
            images=images,
            system_prompt=system_prompt,
            special_tokens=special_tokens,
            turns=turns,
            fit=fit,
        )

    rows = read(train, "data.train")
    share = held_out_share(evaluation)
    if share is not None:
        return _hold_out(rows, share, convert)
    trained = convert(rows)
    if not evaluation:
        return trained, None
    held = _without_images_of(rows, read(evaluation, "data.evaluation"))
    try:
        return trained, convert(held)
    except DataError as error:
        raise DataError(error.message, remedy=error.remedy, field="data.evaluation") from error


def held_out_share(evaluation: str | None) -> float | None:
    """Read a share: 0.1 for "10%"; None for a split. Raises DataError when out of range."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", evaluation or "")
    if not match:
        return None
    share = float(match[1]) / 100
    if not 0 < share < 1:
        raise DataError(
            f"{evaluation!r} leaves no rows on one side.",
            remedy="Hold out a share between 0% and 100%.",
            field="data.evaluation",
        )
    return share


def unusable(row: Row, method: Method, images: ImageStore) -> str:
    """Say why a row must not be trained on; empty when it may."""
    texts = []
    for name, answer in zip(ANSWERS[method], _answers(row, method), strict=True):
        if answer is None:
            return f"no {name} answer"
        if not answer.text.strip():
            return f"the {name} answer is empty"
        texts.append(answer.text.strip())
    if method == "dpo" and texts[0] == texts[1]:
        return IDENTICAL
    try:
        for sha in row.images:
            images.path(sha)
    except NotFoundError as error:
        return error.message.rstrip(".")
    return ""


def _special(row: Row, tokens: Sequence[str]) -> str:
    """Why a model would misread a row: text that spells a special token is read as the token."""
    texts = [message.text for message in row.prompt]
    answers = (row.completion, row.chosen, row.rejected, *row.candidates)
    texts += [answer.text for answer in answers if answer]
    for token in tokens:
        if token.strip() and any(token in text for text in texts):
            return f"the text contains the special token {token}"
    return ""


def _answers(row: Row, method: Method) -> tuple[Answer | None, ...]:
    if method == "sft":
        return (row.completion or row.chosen,)
    return row.chosen, row.rejected


def _dataset(
    rows: Sequence[Row],
    method: Method,
    images: ImageStore,
    system_prompt: str | None,
    fit: Fit,
    every: bool,
) -> tuple[Dataset, list[int]]:
    """The dataset, and the places of rows whose system text went into the question."""
    from datasets import Dataset

    prompts = [prompt_messages(row, system_prompt) for row in rows]
    merged: list[int] = []
    if not fit.system:
        merged = [place for place, one in enumerate(prompts) if one[0]["role"] == "system"]
        prompts = [system_in_question(prompt) for prompt in prompts]
    columns: dict[str, list] = {
        "images": [[str(images.path(sha)) for sha in row.images] for row in rows],
        "prompt": prompts,
    }
    answers = [_answers(row, method) for row in rows]
    for index, name in enumerate(ANSWERS[method]):
        columns[name] = [answer_messages(given) for answer in answers if (given := answer[index])]
    scored = _scored_places(rows, prompts) if every else []
    if any(scored):
        columns[SCORED] = scored
    kinds = features(method, scored=SCORED in columns)
    return Dataset.from_dict(columns, features=kinds).with_transform(trl_columns), merged


def _scored_places(rows: Sequence[Row], prompts: Sequence[list[dict]]) -> list[list[int]]:
    """Where the earlier answers to be scored stand in each prompt; a part of a row has none."""
    places = []
    for row, prompt in zip(rows, prompts, strict=True):
        before = len(prompt) - len(row.prompt)  # a system turn added, or one taken away
        places.append(
            [place + before for place, message in enumerate(row.prompt) if message.learned]
        )
    return places


def _hold_out(rows: list[Row | BadRow], share: float, convert) -> tuple[TrainingData, TrainingData]:
    good = [row for row in rows if isinstance(row, Row)]
    places = {row.external_id: place for place, row in enumerate(rows, 1) if isinstance(row, Row)}
    train, held = split_by_image(good, share)
    if not held:
        raise DataError(
            "Nothing can be held out: all rows share one image.",
            remedy="Leave the evaluation split empty, or bring rows with other images.",
            field="data.evaluation",
        )
    bad = [row for row in rows if isinstance(row, BadRow)]
    return _renumbered(convert([*train, *bad]), places), _renumbered(convert(held), places)


def _renumbered(data: TrainingData, places: Mapping[str, int]) -> TrainingData:
    """The same with rows named by their place in the source, not among those of their split."""
    names = (
        replace(name, number=places.get(whole_id(name.id), name.number)) for name in data.names
    )
    return replace(data, names=tuple(names))


def _without_images_of(
    train: Iterable[Row | BadRow], evaluation: Iterable[Row | BadRow]
) -> list[Row | BadRow]:
    seen = {sha for row in train if isinstance(row, Row) for sha in row.images}
    return [
        BadRow(line, "its image is among the training rows")
        if isinstance(row, Row) and seen.intersection(row.images)
        else row
        for line, row in enumerate(evaluation, 1)
    ]


def _nothing_left(skipped: Sequence[BadRow], method: Method) -> DataError:
    if not skipped:
        return source_error("The source has no rows.", "Choose another one.")
    reasons = [bad.reason for bad in skipped]
    if set(reasons) == {IDENTICAL}:
        return source_error(
            f"There is no chosen/rejected difference in any of the {counted(len(reasons))}.",
            "DPO learns from differences: bring pairs whose answers differ.",
        )
    commonest = max(dict.fromkeys(reasons), key=reasons.count)
    example = next(bad for bad in skipped if bad.reason == commonest)
    needed = "a chosen and a rejected answer" if method == "dpo" else "an answer"
    return source_error(
        f"None of the {counted(len(skipped))} can be trained on; {reasons.count(commonest)} because: "
        f"{commonest} (first in row {example.line}).",
        f"{method.upper()} needs {needed} in every row; check the source and its columns.",
    )
