"""Fixed questions while a run learns, and unrelated ones before and after to see what it forgets.

Answers are greedy, so that a change between two steps is a change of the model. Nothing here
draws random numbers or keeps gradients: a run with probes learns exactly what it learns without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean
from typing import Any

from transformers import PreTrainedModel, ProcessorMixin, TrainerCallback, TrainerState

from studio.config import RunConfig
from studio.core.paths import RunPaths, Workspace
from studio.data.trl_conversion import TrainingData
from studio.models.adapter_kinds import is_beside_base, moves_base
from studio.models.adapter_weights import DEFAULT
from studio.models.generation import Generated, generate
from studio.models.load import weights_are_sharded
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.models.prompts import EvalExample
from studio.runs.event_log import EventLog, read_events
from studio.runs.status import beat
from studio.training.callbacks import RunReporter
from studio.training.probes.forgetting import log_probs, unrelated_rows
from studio.training.probes.time_limit import Clock
from studio.training.run_rows import RunData

TIMES = 4
SELDOM = 5
LEAST_ROWS = 4
BATCH = 4


@dataclass(frozen=True)
class Probe:
    """One fixed question."""

    example: EvalExample
    question: str
    images: list[str]


def probe_rows(data: TrainingData, count: int) -> list[Probe]:
    """Return `count` rows spread over the data."""
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
    """Asks the probes before the first step, every few steps and at the end.

    Answers take `probes.seconds` a round at most: what does not fit is left out and told.

    Attributes:
        tokens: Longest answer.
        ends_only: Whether answers take too long to be asked for in between.
        rows: Unrelated rows that forgetting is measured on.
    """

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
        self.clock = Clock(paths)
        self.probes = probe_rows(data.evaluation or data.train, self.config.count)
        self.unrelated = unrelated
        self.rows = unrelated.used if unrelated else 0
        self.tokens = self.config.max_new_tokens
        self.ends_only = False

    def on_train_begin(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        events = read_events(self.paths.events).events
        known = {event.type: event.values for event in events if "after" not in event.values}
        with self._asking():
            if "probe_rows" in known:
                self._go_on(known["probe_rows"])
            elif self.probes:
                self._ask_base(model, state.global_step)
            if "forgetting" in known:
                self.rows = min(self.rows, known["forgetting"].get("rows", self.rows))
            elif self.rows:
                self._measure_before(model, state.global_step)
        self.reporter.pace.begin(state.global_step)

    def on_step_end(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        every = self.config.every or max(SELDOM, -(-state.max_steps // TIMES))
        due = state.global_step % every == 0 and not self.ends_only
        if self.probes and (due or state.global_step == state.max_steps):
            with self._asking():
                self._ask(model, state.global_step)

    def on_train_end(
        self, args, state: TrainerState, control, model: PreTrainedModel, **_: Any
    ) -> None:
        if self.rows and state.global_step >= state.max_steps:
            with self._asking():
                step, loss = state.global_step, self._loss(model, self.rows)
                self.events.append("forgetting", step=step, after=loss, rows=self.rows)

    def _go_on(self, known: dict[str, Any]) -> None:
        """Ask no more after a resume than the base was asked."""
        self.probes = self.probes[: len(known.get("rows", self.probes))]
        self.tokens = known.get("tokens", self.tokens)
        self.ends_only = bool(known.get("ends_only"))

    def _ask_base(self, model: PreTrainedModel, step: int) -> None:
        adapter = getattr(model, "peft_config", {}).get(DEFAULT)
        if step and (adapter is None or not is_beside_base(adapter)):
            self.probes = []  # resumed before it was asked; the base is no more
            return
        wanted = len(self.probes)
        off = adapter is not None and not moves_base(adapter)
        with model.disable_adapter() if off else nullcontext():
            answers, per_answer = self._first_round(model)
        if self.clock.stopped:
            return
        rows = [
            {
                "question": probe.question,
                "images": probe.images,
                "base": answer.text,
                "written": answer.tokens,
            }
            for probe, answer in zip(self.probes, answers, strict=True)
        ]
        less = {"tokens": self.tokens, "ends_only": self.ends_only}
        length = self._length(answers)
        self.events.append("probe_rows", rows=rows, base_answer_tokens=length, **less)
        self._tell_less(wanted, per_answer)
        self.reporter.look_for_signs({"step": 0, "base_answer_tokens": length})

    def _first_round(self, model: PreTrainedModel) -> tuple[list[Generated], float]:
        """Answers to as many probes as there is time for, and seconds an answer.

        The first one alone tells how slow the model is.
        """
        answers: list[Generated] = []
        passed = per_answer = 0.0
        while len(answers) < len(self.probes) and not self.clock.stopped:
            left = self.config.seconds - passed
            fit = max(0, int(left / per_answer)) if per_answer else 1
            batch = self.probes[len(answers) :][: min(BATCH, fit)]
            if not batch:
                break
            answers += self._answers(model, batch, left)
            passed += self.clock.passed
            per_answer = passed / len(answers)
            if self.clock.late:
                self.tokens = min(self.tokens, self.clock.tokens)
        self.probes = self.probes[: len(answers)]
        self.ends_only = passed > self.config.seconds and len(answers) == 1
        return [self._cut(answer) for answer in answers], per_answer

    def _tell_less(self, wanted: int, per_answer: float) -> None:
        less = []
        if len(self.probes) < wanted:
            less.append(f"{len(self.probes)} of {wanted} probes are asked")
        if self.tokens < self.config.max_new_tokens:
            less.append(f"answers are cut at {self.tokens} tokens")
        if self.ends_only:
            less.append("they are given at the start and the end only")
        if less:
            self._tell(f"An answer takes {per_answer:.0f} s here, so {', '.join(less)}.")

    def _tell(self, message: str) -> None:
        remedy = f"To ask more, raise probes.seconds ({self.config.seconds:g})."
        self.events.append("changed", message=message, remedy=remedy)

    def _ask(self, model: PreTrainedModel, step: int) -> None:
        answers: list[Generated] = []
        passed = 0.0
        for batch in _batches(self.probes):
            answers += self._answers(model, batch)
            passed += self.clock.passed
            if self.clock.stopped:
                return
        length = self._length(answers)
        took = {"answer_tokens": length, "probe_seconds": round(passed, 2)}
        said = {"answers": [a.text for a in answers], "written": [a.tokens for a in answers]}
        self.events.append("probe", step=step, **said, **took)
        self.reporter.look_for_signs({"step": step, "answer_tokens": length})
        if passed > self.config.seconds and len(self.probes) > 1:
            wanted = len(self.probes)
            self.probes = self.probes[: max(1, int(wanted * self.config.seconds / passed))]
            self._tell_less(wanted, passed / wanted)

    def _answers(
        self, model: PreTrainedModel, probes: list[Probe], seconds: float = math.inf
    ) -> list[Generated]:
        self.clock.begin(seconds)
        return generate(
            model,
            self.processor,
            [probe.example for probe in probes],
            batch_size=len(probes),
            max_new_tokens=self.tokens,
            stopping=self.clock,
        )

    def _cut(self, answer: Generated) -> Generated:
        tokens = self._tokens(answer.text)
        if len(tokens) <= self.tokens:
            return answer
        text = self.processor.tokenizer.decode(tokens[: self.tokens])
        return Generated(text, self.tokens)

    def _length(self, answers: list[Generated]) -> float:
        return fmean(len(self._tokens(answer.text)) for answer in answers)

    def _tokens(self, text: str) -> list[int]:
        return self.processor.tokenizer(text, add_special_tokens=False).input_ids

    def _measure_before(self, model: PreTrainedModel, step: int) -> None:
        """Score as many rows as there is time for; none where too few would be left."""
        wanted, seconds = self.rows, self.config.seconds
        self.clock.begin()
        if step or self.ends_only:  # not the beginning any more, or known to be too slow
            self.rows = 0
        else:
            self._loss(model, 1)
            self.rows = min(wanted, int(seconds / max(self.clock.passed, 1e-9)))
        if self.rows < min(wanted, LEAST_ROWS):
            self.rows = 0
        if self.rows < wanted and not step:
            less = f"on {self.rows} of {wanted} rows only" if self.rows else "not at all"
            self._tell(f"This model is slow here, so what it forgets is measured {less}.")
        if self.rows:
            before = self._loss(model, self.rows)
            self.events.append("forgetting", before=before, rows=self.rows)

    def _loss(self, model: PreTrainedModel, count: int) -> float:
        """Mean of the first `count` unrelated answers, in nats an answer."""
        rows = [self.unrelated.dataset[index] for index in range(count)] if self.unrelated else []
        found: list[float] = []
        for batch in _batches(rows):
            found += log_probs(model, self.processor, batch)
            self.clock.tick()
        return round(-fmean(found), 5)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self.clock.begin()
        try:
            yield
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            self.probes, self.rows = [], 0
            self.events.append(
                "warning",
                message="Memory ran out while answering the probes; they are left out from here.",
                remedy="Lower probes.count or probes.max_new_tokens.",
            )
        beat(self.paths, stage="training")


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    """One alone, as the base was asked, then `BATCH` at a time."""
    yield items[:1]
    for start in range(1, len(items), BATCH):
        yield items[start : start + BATCH]


def make_prober(
    config: RunConfig,
    paths: RunPaths,
    workspace: Workspace,
    processor: ProcessorMixin,
    reporter: RunReporter,
    data: RunData,
) -> Prober | None:
    """Return what asks the probes of a run; None when there is nothing to ask, or another process
    does.

    Raises:
        DataError: The rows that forgetting is measured on cannot be read.
    """
    if weights_are_sharded():
        EventLog(paths.events).append(
            "warning",
            message="No probes: with the weights spread over processes, none can answer alone.",
        )
        return None
    unrelated = unrelated_rows(config, workspace, processor)
    if paths.rank or (not config.probes.count and unrelated is None):
        return None
    return Prober(config, paths, processor, reporter, data, unrelated)
