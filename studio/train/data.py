"""The rows of a run, as TRL's datasets."""

from __future__ import annotations

from dataclasses import dataclass

from studio.config import RunConfig
from studio.data.convert import TrainingData, load_training_data
from studio.paths import Workspace


@dataclass(frozen=True)
class RunData:
    """Training and evaluation rows of one run."""

    train: TrainingData
    evaluation: TrainingData | None

    @property
    def evaluation_rows(self) -> int:
        return self.evaluation.used if self.evaluation else 0


def load_run_data(config: RunConfig, workspace: Workspace) -> RunData:
    """Read, check and convert the rows that `config` asks for.

    Raises:
        DataError: The source, a split or a column is missing, or no row can be used.
    """
    train, evaluation = load_training_data(
        source=config.data.source,
        train=config.data.train,
        evaluation=config.data.evaluation,
        columns=config.data.columns,
        system_prompt=config.data.system_prompt,
        method=config.method,
        workspace=workspace,
    )
    return RunData(train, evaluation)
