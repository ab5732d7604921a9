"""Generated answers to evaluation rows, scored at every evaluation: curves of what users will see.

A loss says how likely the right answers are; whether the model gives them is another question.
Answers are greedy, nothing draws random numbers, and the figures enter the evaluation's own, so
that the best checkpoint and early stopping can go by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelerate.utils import gather_object
from transformers import PreTrainedModel, ProcessorMixin, TrainerCallback, TrainerState

from studio.config import RunConfig
from studio.config.schedule import ANSWER_METRICS
from studio.core.errors import ConfigError, FieldProblem
from studio.core.paths import RunPaths
from studio.data.schema import Answer, Message, Part, Row
from studio.data.trl_conversion import TrainingData
from studio.metrics import METRICS, Metric, score_rows, suggested_metrics
from studio.models.generation import generate
from studio.models.load import weights_are_sharded
from studio.models.prompts import EvalExample
from studio.runs.event_log import EventLog, read_events
from studio.runs.status import beat
from studio.training.run_rows import RunData

BATCH = 8
EVENT = "answer_scores"


class AnswerScorer(TrainerCallback):
    """Answers the same evaluation rows before the first step and at every evaluation.

    Must come before callbacks that read the evaluation's figures.

    Attributes:
        metrics: Those that suit the rows, and the one by which the best checkpoint is chosen.
    """

    def __init__(
        self, config: RunConfig, paths: RunPaths, processor: ProcessorMixin, rows: TrainingData
    ) -> None:
        self.paths = paths
        self.processor = processor
        self.tokens = config.probes.max_new_tokens
        self.events = EventLog(paths.events)
        count = min(config.schedule.answer_rows or 0, rows.used)
        self.places = [place * rows.used // count for place in range(count)]
        self.data = rows
        self.rows = [_row(rows.dataset[place], place) for place in self.places]
        self.metrics = _metrics(self.rows, config.schedule.metric)

    def on_train_begin(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        known = any(event.type == EVENT for event in read_events(self.paths.events).events)
        if state.global_step or known:
            return
        found = self._scores(model)
        self.events.append(EVENT, rows=len(self.rows), metrics=[one.name for one in self.metrics])
        self.events.append("evaluation", step=0, **found)

    def on_evaluate(
        self,
        args,
        state: TrainerState,
        control,
        model: PreTrainedModel,
        metrics: dict[str, float],
        **_: Any,
    ) -> None:
        """Add the figures to those of the evaluation, which the trainer compares afterwards."""
        found = self._scores(model)
        metrics.update(found)
        if state.log_history:  # what a resumed run counts on from
            state.log_history[-1].update(found)
        self.events.append("evaluation", step=state.global_step, **found)

    def _scores(self, model: PreTrainedModel) -> dict[str, float]:
        """Figures by the names the trainer gives to those of an evaluation."""
        answers = self._answers(model)
        found = {}
        for metric in self.metrics:
            scored = score_rows(metric, answers, self.rows)
            sums = scored.counts[scored.applies].sum(axis=0)
            if scored.applies.any():
                found[f"eval_{metric.name}"] = round(float(metric.combine(sums)), 5)
        return found

    def _answers(self, model: PreTrainedModel) -> list[str]:
        """One answer a row; several processes take a share each and know all."""
        rank, processes = _place()
        mine = list(range(rank, len(self.places), processes))
        said: dict[int, str] = {}
        for start in range(0, len(mine), BATCH):
            batch = mine[start : start + BATCH]
            examples = [self._example(self.places[number]) for number in batch]
            made = generate(
                model, self.processor, examples, batch_size=BATCH, max_new_tokens=self.tokens
            )
            said |= {number: one.text for number, one in zip(batch, made, strict=True)}
            beat(self.paths, stage="evaluating")
        if processes > 1:
            said = dict(gather_object(list(said.items())))
        return [said[number] for number in range(len(self.places))]

    def _example(self, place: int) -> EvalExample:
        row = self.data.dataset[place]
        return EvalExample(row["images"], row["prompt"])


def make_scorer(
    config: RunConfig, paths: RunPaths, processor: ProcessorMixin, data: RunData
) -> AnswerScorer | None:
    """Return what scores answers while a run trains; None where it is not asked for.

    Raises:
        ConfigError: The figure that decides what is best cannot be had of these rows.
    """
    if not config.schedule.answer_rows or data.evaluation is None:
        return None
    if weights_are_sharded():
        if config.schedule.metric in ANSWER_METRICS:
            raise _no_figure(
                "with the weights spread over processes, none can answer alone",
                "Use loss, or train without spreading the weights.",
            )
        EventLog(paths.events).append(
            "warning",
            message="No answers are scored: with the weights spread over processes, none can "
            "answer alone.",
        )
        return None
    return AnswerScorer(config, paths, processor, data.evaluation)


def _metrics(rows: list[Row], chosen: str) -> list[Metric]:
    names = [name for name in suggested_metrics(rows) if METRICS[name].of_answers]
    found = {name: METRICS[name] for name in names}
    if chosen in ANSWER_METRICS and chosen not in found:
        metric = METRICS[chosen]
        applies = score_rows(metric, [row.accepted[0] for row in rows], rows).applies
        if not applies.any():
            raise _no_figure(
                f"no evaluation row has what {metric.label.lower()} needs",
                f"Use one that suits them: {', '.join(found)}.",
            )
        found[chosen] = metric
    return list(found.values())


def _no_figure(reason: str, remedy: str) -> ConfigError:
    sentence = f"The best checkpoint cannot be chosen by it: {reason}."
    return ConfigError([FieldProblem("schedule.metric", sentence, remedy)])


def _row(values: Mapping[str, Any], place: int) -> Row:
    """A row of TRL's as metrics read it; its right answer is the completion or the chosen one."""
    prompt = tuple(
        Message(message["role"], tuple(_part(part) for part in message["content"]))
        for message in values["prompt"]
    )
    answer = values.get("completion") or values["chosen"]
    text = "".join(part.get("text") or "" for message in answer for part in message["content"])
    return Row(str(place), (), prompt, completion=Answer(text))


def _part(part: Mapping[str, Any]) -> Part:
    return Part("image") if part["type"] == "image" else Part("text", part.get("text") or "")


def _place() -> tuple[int, int]:
    """This process's number and how many there are."""
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()
