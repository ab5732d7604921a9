"""Which answers of the rows a run learns, in words."""

from __future__ import annotations

from collections.abc import Sequence

from studio.config import RunConfig
from studio.data.trl_conversion import RowName
from studio.training.run_rows import RunData

NAMED = 5


def answers_scored(config: RunConfig, data: RunData) -> str:
    """Return how many answers are scored in how many rows."""
    rows = _many(data.train.used, "row")
    if config.method == "dpo":
        return f"compares the last answers of {rows}"
    return f"scores {_many(data.train.scored, 'assistant turn')} in {rows}"


def said_of_rows(config: RunConfig, data: RunData) -> list[str]:
    """Return what is done with the rows that nobody would expect; sentences for the plan."""
    found = []
    train = data.train
    if train.merged:
        found.append(
            f"The chat template of {config.model.id} takes no system turn: in "
            f"{len(train.merged):,} of {_many(train.used, 'row')} its text is put in front of the "
            f"question, in training and in chat alike ({_named(train.merged)})."
        )
    if train.apart:
        found.append(
            f"The chat template of {config.model.id} writes earlier answers otherwise than when "
            f"they were given: {train.apart:,} answers of conversations are trained in rows of "
            "their own, each after the conversation up to it."
        )
    elif config.method == "sft" and train.unscored:
        why = "data.turns: last" if config.data.turns == "last" else "weight: 0"
        found.append(
            f"{_many(train.unscored, 'earlier assistant turn')} of these rows "
            f"{'is' if train.unscored == 1 else 'are'} read, not scored ({why})."
        )
    return found


def _named(rows: Sequence[RowName]) -> str:
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return ", ".join(map(str, rows[:NAMED])) + more


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
