"""The rows of a dataset that can be trained on, by split: `library:<dataset>?labelled&split=train`."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl

from studio.annotation.export.export_shapes import completions
from studio.annotation.export.label_policies import REASONS
from studio.annotation.labeling.written_answers import AUTHOR as WRITTEN_BY
from studio.annotation.records import ExportPolicy, ItemFilter, ItemView
from studio.annotation.store import AnnotationStore
from studio.core.errors import DataError, source_error
from studio.data.checked_rows import TRAIN
from studio.data.conversation import flaw
from studio.data.schema import Row
from studio.data.sources.registry import LIBRARY

YES = {"": True, "yes": True, "true": True, "no": False, "false": False}
FILTERS = ("labelled", "flagged", "by", "agreement", "source", "split", "tag", "search", "verdict")
CHOICES = {"agreement": ("agree", "disagree"), "verdict": ("good", "bad")}
POLICY = ExportPolicy(include_imported=True)


@dataclass
class TrainableRows:
    """Rows by split, and how many items were left out for each reason, in words."""

    splits: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(map(len, self.splits.values()))


def parse_library(spec: str) -> ItemFilter:
    """Read the filter of `library:<dataset>[?filter&filter=value …]`.

    Filters: `labelled`, `flagged` (`=no` turns them round), `by`, `agreement`, `source`, `split`,
    `tag`, `search`, `verdict`. What is excluded or in the bin is never in it.

    Raises:
        DataError: A filter is unknown or has a value it cannot have.
    """
    if character := flaw(spec):
        raise _refused(f"The name of the dataset or a filter holds {character}.", "Take it out.")
    dataset, _, query = spec.removeprefix(LIBRARY).partition("?")
    values: dict[str, Any] = {"dataset": dataset.strip(), "excluded": False}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in FILTERS:
            near = difflib.get_close_matches(name, FILTERS, n=1) or [", ".join(FILTERS)]
            raise _refused(f"The library has no filter {name[:60]!r}.", f"There is: {near[0]}.")
        if name in ("labelled", "flagged"):
            if value not in YES:
                raise _refused(f"{name}={value[:60]!r} is neither yes nor no.", "Write yes or no.")
            values[name] = YES[value]
        elif name in CHOICES and value not in CHOICES[name]:
            raise _refused(
                f"There is no {name} {value[:60]!r}.", f"Write {' or '.join(CHOICES[name])}."
            )
        else:
            values["labelled_by" if name == "by" else name] = value
    return ItemFilter(**values)


def trainable_rows(
    store: AnnotationStore, where: ItemFilter, method: Literal["sft", "dpo"]
) -> TrainableRows:
    """Gather what `method` can learn from the items that `where` lets through.

    dpo: every pair that people or a lead decided and, without votes, what the source preferred.
    sft: answers that people wrote; else the reference answer; else the one preferred.

    Raises:
        NotFoundError: There is no such dataset.
    """
    decided = {
        row.meta["pair"]: row for row in store.decided_preferences(where.dataset or "", POLICY).rows
    }
    result = TrainableRows()
    for item in store.every(where):
        rows = [decided[pair.id] for pair in item.pairs if pair.id in decided]
        if method == "sft":
            rows, reason = _answers(item, rows)
        elif any(pair.votes for pair in item.pairs):
            reason = "a tie, or no majority"
        else:
            reason = "no preference yet" if item.pairs else "no two answers to compare"
        if rows:
            result.splits[item.split or TRAIN] += rows
        else:
            result.left_out[reason] += 1
    return result


def _answers(item: ItemView, preferences: Sequence[Row]) -> tuple[list[Row], str]:
    """The SFT rows of one item, and why there are none."""
    best, circular = completions(preferences)
    written = [row for row in best if "written" in row.meta]
    given = (
        candidate for candidate in item.candidates if not candidate.author.startswith(WRITTEN_BY)
    )
    reference = next((candidate for candidate in given if candidate.reference), None)
    if reference is not None and not written:
        row = Row(item.external_id, item.images, item.prompt, meta=item.meta)
        return [replace(row, completion=reference.answer)], ""
    return written or best, REASONS["circular"] if circular else "no answer yet"


def filters_of(where: ItemFilter) -> Mapping[str, object]:
    """List the filters that were asked for, for the manifest."""
    empty = ItemFilter()
    names = ["labelled_by" if name == "by" else name for name in FILTERS]
    values = {name: getattr(where, name) for name in names}
    return {name: value for name, value in values.items() if value != getattr(empty, name)}


def _refused(message: str, remedy: str) -> DataError:
    return source_error(message, remedy)
