"""The rows of a run, as TRL's datasets."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.data.schema import BadRow
from studio.data.template_adaptation import ANY_MODEL, Fit
from studio.data.trl_conversion import TrainingData, load_training_data
from studio.data.trl_format import SCORED

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class RunData:
    """Training and evaluation rows of one run.

    Attributes:
        fit: How the model's chat template wanted them.
        left_out: By split, places of the rows that the model could not be trained on, with the
            reasons; places among all rows that the data alone allows.
    """

    train: TrainingData
    evaluation: TrainingData | None
    fit: Fit = ANY_MODEL
    left_out: dict[str, dict[int, str]] = field(default_factory=dict)

    def part(self, split: str) -> TrainingData:
        """Return the rows of a split, `train` or `evaluation`. Raises KeyError where there is none."""
        found = self.train if split == "train" else self.evaluation
        if found is None:
            raise KeyError(split)
        return found

    @property
    def evaluation_rows(self) -> int:
        """Rows to evaluate on; 0 without such a split."""
        return self.evaluation.used if self.evaluation else 0

    def without(self, left_out: Mapping[str, Mapping[int, str]]) -> RunData:
        """Return the same without some rows.

        Args:
            left_out: Places of rows with the reason, by split.
        """
        kept = {split: dict(rows) for split, rows in left_out.items()}
        train = self.train.without(kept.get("train", {}))
        held = self.evaluation
        if held is not None:
            held = held.without(kept.get("evaluation", {}))
        return replace(self, train=train, evaluation=held, left_out=kept)

    @property
    def scores_earlier(self) -> bool:
        """Whether some rows have earlier answers that are scored."""
        parts = (self.train, self.evaluation)
        return any(part is not None and SCORED in part.dataset.column_names for part in parts)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Number of the rows of each split, and a digest of their texts and images in order."""
        splits = {"train": self.train, "evaluation": self.evaluation}
        return {name: _digest(split) for name, split in splits.items() if split is not None}


def load_run_data(
    config: RunConfig,
    workspace: Workspace,
    special_tokens: Sequence[str] = (),
    fit: Fit = ANY_MODEL,
) -> RunData:
    """Read, check and convert the rows that `config` asks for.

    Rows whose text spells one of `special_tokens` are left out: the model would read the
    token, not the word.

    Args:
        fit: How the model's chat template wants the rows.

    Raises:
        DataError: The source, a split or a column is missing, or no row can be used.
    """
    train, evaluation = load_training_data(
        source=config.data.source,
        train=config.data.train,
        evaluation=config.data.evaluation,
        columns=config.data.columns,
        where=config.data.where,
        system_prompt=config.data.system_prompt,
        method=config.method,
        workspace=workspace,
        special_tokens=special_tokens,
        turns=config.data.turns,
        fit=fit,
    )
    return RunData(train, evaluation, fit)


def reasons(skipped: Sequence[BadRow]) -> list[str]:
    """Return one sentence per reason, most frequent first."""
    counts = Counter(row.reason for row in skipped)
    return [
        f"{count:,} row{'s' * (count != 1)}: {reason}" for reason, count in counts.most_common()
    ]


def _digest(data: TrainingData) -> dict[str, Any]:
    table = data.dataset.with_format("arrow")
    digest = hashlib.sha256()
    for start in range(0, len(table), ROWS_AT_ONCE):
        for row in table[start : start + ROWS_AT_ONCE].to_pylist():
            if not row.get(SCORED):
                row.pop(SCORED, None)  # as before there was such a column
            row["images"] = [image_name(image) for image in row.get("images") or []]
            digest.update(json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass"))
    return {"rows": data.used, "digest": digest.hexdigest()}


def image_name(image: dict[str, Any]) -> str:
    """Return what is the same for the same image: the stem of its file, or its sha256."""
    if image.get("path"):
        return PurePath(image["path"]).stem
    return hashlib.sha256(image.get("bytes") or b"").hexdigest()
