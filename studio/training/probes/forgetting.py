"""What a run forgets: rows that it does not train, scored before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel, ProcessorMixin

from studio.config import RunConfig
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.trl_conversion import TrainingData, load_training_data
from studio.models.chat_template import fit_of
from studio.models.likelihood import completion_log_probs
from studio.models.prompts import EvalExample

FORGETTING_SOURCE = "embedded:heldout"
FORGETTING_ROWS = 12


def unrelated_rows(
    config: RunConfig, workspace: Workspace, processor: ProcessorMixin
) -> TrainingData | None:
    """Read the rows that forgetting is measured on; None when it is not to be, or they are trained.

    Raises:
        DataError: They cannot be read.
    """
    source = config.probes.forgetting
    if source == "auto":
        source = FORGETTING_SOURCE
    if source is None or source == config.data.source:
        return None
    try:
        rows, _ = load_training_data(
            source=source,
            train=f"train[:{FORGETTING_ROWS}]",
            system_prompt=config.data.system_prompt,
            method="sft",
            workspace=workspace,
            special_tokens=processor.tokenizer.all_special_tokens,
            fit=fit_of(processor),
        )
    except DataError as error:
        raise DataError(error.message, remedy=error.remedy, field="probes.forgetting") from error
    return rows


def log_probs(
    model: PreTrainedModel, processor: ProcessorMixin, rows: Sequence[dict[str, Any]]
) -> list[float]:
    """Return the log-probability of each row's answer, in nats."""
    examples = [EvalExample(row["images"], row["prompt"]) for row in rows]
    answers = [row["completion"][0]["content"][0]["text"] for row in rows]
    return completion_log_probs(model, processor, examples, answers)
