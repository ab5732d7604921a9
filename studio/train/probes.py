"""Fixed questions while a run learns, and unrelated ones before and after to see what it forgets.

Answers are greedy, so that a change between two steps is a change of the model. Nothing here
draws random numbers or keeps gradients: a run with probes learns exactly what it learns without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin, TrainerCallback, TrainerState

from studio.config import RunConfig
from studio.config.adapter import MOVES_WEIGHTS
from studio.data.convert import TrainingData, load_training_data
from studio.errors import DataError
from studio.evaluate.example import EvalExample
from studio.evaluate.generate import generate_answers
from studio.evaluate.score import completion_log_probs
from studio.paths import RunPaths, Workspace
from studio.runs.events import EventLog, read_events
from studio.runs.status import update_status
from studio.train.callbacks import RunReporter
from studio.train.data import RunData

TIMES = 4
SELDOM = 5
FORGETTING_SOURCE = "embedded:heldout"
FORGETTING_ROWS = 12
BATCH = 4


@dataclass(frozen=True)
class Probe:
    """One fixed question."""

    example: EvalExample
    question: str
    images: list[str]


def probe_rows(data: TrainingData, count: int) -> list[Probe]:
    """`count` rows spread over the data."""
    count = min(count, data.used)
    return [_probe(data, place * data.used // count) for place in range(count)]


def _probe(data: TrainingData, index: int) -> Probe:
    row, stored = data.dataset[index], data.dataset.with_format("arrow")[index].to_pylist()[0]
    texts = [
        part["text"]
        for message in row["prompt"]
        if message["role"] == "user"
        for part in message["content"]
        if part["type"] == "text"
    ]
    names = [PurePath(image["path"] or "").stem for image in stored["images"]]
    return Probe(EvalExample(row["images"], row["prompt"]), "\n".join(texts), names)


class Prober(TrainerCallback):
    """Asks the probes before the first step, every few steps and at the end."""

    def __init__(
        self,
        config: RunConfig,
        paths: RunPaths,
        processor: ProcessorMixin,
        reporter: RunReporter,
        data: RunData,
        unrelated: TrainingData | None,
    ) -> None:
        self.config = config.probes
        self.paths = paths
        self.processor = processor
        self.reporter = reporter
        self.events = EventLog(paths.events)
        self.probes = probe_rows(data.evaluation or data.train, self.config.count)
        self.unrelated = unrelated

    def on_train_begin(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        known = {event.type for event in read_events(self.paths.events).events}
        with self._asking():
            if self.probes and "probe_rows" not in known:
                self._ask_base(model)
            if self.unrelated is not None and "forgetting" not in known:
                self.events.append("forgetting", before=self._loss(model))

    def on_step_end(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        every = self.config.every or max(SELDOM, -(-state.max_steps // TIMES))
        if self.probes and (state.global_step % every == 0 or state.global_step == state.max_steps):
            with self._asking():
                self._ask(model, state.global_step)

    def on_train_end(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        if self.unrelated is not None and state.global_step >= state.max_steps:
            with self._asking():
                self.events.append("forgetting", after=self._loss(model))

    def _ask_base(self, model: PreTrainedModel) -> None:
        bare = model.disable_adapter() if _is_beside_the_base(model) else nullcontext()
        with bare:
            answers = self._answers(model)
        rows = [
            {"question": probe.question, "images": probe.images, "base": answer}
            for probe, answer in zip(self.probes, answers, strict=True)
        ]
        length = self._length(answers)
        self.events.append("probe_rows", rows=rows, base_answer_tokens=length)
        self.reporter.look_for_signs({"step": 0, "base_answer_tokens": length})

    def _ask(self, model: PreTrainedModel, step: int) -> None:
        answers = self._answers(model)
        length = self._length(answers)
        self.events.append("probe", step=step, answers=answers, answer_tokens=length)
        self.reporter.look_for_signs({"step": step, "answer_tokens": length})

    def _answers(self, model: PreTrainedModel) -> list[str]:
        return generate_answers(
            model,
            self.processor,
            [probe.example for probe in self.probes],
            batch_size=BATCH,
            max_new_tokens=self.config.max_new_tokens,
        )

    def _length(self, answers: list[str]) -> float:
        tokenizer = self.processor.tokenizer
        return fmean(len(tokenizer(text, add_special_tokens=False).input_ids) for text in answers)

    def _loss(self, model: PreTrainedModel) -> float:
        rows = [self.unrelated.dataset[index] for index in range(self.unrelated.used)]
        examples = [EvalExample(row["images"], row["prompt"]) for row in rows]
        answers = [row["completion"][0]["content"][0]["text"] for row in rows]
        found = completion_log_probs(model, self.processor, examples, answers, batch_size=BATCH)
        return round(-fmean(found), 5)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        update_status(self.paths, stage="probing")
        try:
            yield
        except torch.OutOfMemoryError:
            self.probes, self.unrelated = [], None
            self.events.append(
                "warning",
                message="Memory ran out while answering the probes; they are left out from here.",
                remedy="Lower probes.count or probes.max_new_tokens.",
            )
        update_status(self.paths, stage="training")


def _is_beside_the_base(model: PreTrainedModel) -> bool:
    """Whether the model without its adapter is the base; PiSSA and OLoRA move weights out of it."""
    adapters = getattr(model, "peft_config", {})
    return bool(adapters) and adapters["default"].init_lora_weights not in MOVES_WEIGHTS


def make_prober(
    config: RunConfig,
    paths: RunPaths,
    workspace: Workspace,
    processor: ProcessorMixin,
    reporter: RunReporter,
    data: RunData,
) -> Prober | None:
    """What asks the probes of a run; None when there is nothing to ask, or another process does.

    Raises:
        DataError: The rows that forgetting is measured on cannot be read.
    """
    unrelated = _unrelated(config, workspace, processor)
    if paths.rank or (not config.probes.count and unrelated is None):
        return None
    return Prober(config, paths, processor, reporter, data, unrelated)


def _unrelated(
    config: RunConfig, workspace: Workspace, processor: ProcessorMixin
) -> TrainingData | None:
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
        )
    except DataError as error:
        raise DataError(error.message, remedy=error.remedy, field="probes.forgetting") from error
    return rows
