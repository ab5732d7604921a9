"""The rows of a run, as TRL's datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from studio.config import RunConfig
from studio.data.convert import TrainingData, load_training_data
from studio.data.schema import BadRow
from studio.paths import Workspace


@dataclass(frozen=True)
class RunData:
    """Training and evaluation rows of one run."""

    train: TrainingData
    evaluation: TrainingData | None

    @property
    def evaluation_rows(self) -> int:
        return self.evaluation.used if self.evaluation else 0


def load_run_data(
    config: RunConfig, workspace: Workspace, special_tokens: Sequence[str] = ()
) -> RunData:
    """Read, check and convert the rows that `config` asks for.

    Rows whose text spells one of `special_tokens` are left out: the model would read the
    token, not the word.

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
    )
    return RunData(train, evaluation)


def reasons(skipped: Sequence[BadRow]) -> list[str]:
    """One sentence per reason, most frequent first."""
    counts = Counter(row.reason for row in skipped)
    return [f"{count} rows: {reason}" for reason, count in counts.most_common()]
