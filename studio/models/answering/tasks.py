"""What rows are put to a model for: to be answered, or to have given answers scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
from transformers import PreTrainedModel, ProcessorMixin, StoppingCriteria

from studio.core.errors import StoppedError
from studio.models.answering.decoder import Decoder, Group, TokenRow
from studio.models.answering.image_bank import ImageBank
from studio.models.answering.row_prompts import PromptWriter, RowPrompt
from studio.models.answering.sampling import DrawnTokens
from studio.models.answering.sampling_settings import Draw, stream_of
from studio.models.answering.settings import RowAnswer, RowSamples, RowScores
from studio.models.generation import generate
from studio.models.likelihood import completion_log_probs
from studio.models.prompt_inputs import render_completion
from studio.models.prompts import EvalExample
from studio.models.stop_tokens import stop_tokens

Found = TypeVar("Found")
Stopped = Callable[[], bool]
LOGITS = 1 << 28
"""Most numbers in the logits of one batch."""


class Task(Protocol[Found]):
    """One kind of work on rows."""

    def asked(self, number: int) -> object:
        """Return what is wanted of row `number`, besides what the row itself says."""

    def token_rows(
        self, writer: PromptWriter, prompt: RowPrompt, bank: ImageBank
    ) -> list[TokenRow]:
        """Return what the decoder computes for a row. Raises DataError."""

    def size(self, decoder: Decoder, rows: Sequence[TokenRow], size: int) -> int:
        """Return how many of these may be in one batch, at most `size`."""

    def compute(
        self, decoder: Decoder, batch: Sequence[Group], stopped: Stopped
    ) -> Mapping[int, Any]:
        """Return what the decoder makes of a batch, by the token rows' numbers."""

    def found(self, decoder: Decoder, made: Sequence[Any], seconds: float) -> Found:
        """Return a row's result from what was made of its token rows, in order."""

    def plain(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        prompts: Sequence[RowPrompt],
        examples: Sequence[EvalExample],
        stopped: Stopped,
    ) -> list[Found]:
        """Return the results of rows without the decoder."""

    def failed(self, reason: str) -> Found:
        """Return the result of a row that has none."""

    def read(self, entry: Mapping[str, Any]) -> Found:
        """Return a kept result. Raises TypeError when it is none."""

    def written(self, result: Found) -> dict[str, Any]:
        """Return a result as plain values."""


@dataclass(frozen=True)
class Answers:
    """Greedy answers of at most `most` tokens."""

    most: int

    def asked(self, number: int) -> object:
        return ["answer", self.most]

    def token_rows(
        self, writer: PromptWriter, prompt: RowPrompt, bank: ImageBank
    ) -> list[TokenRow]:
        made = writer.token_row(
            prompt, bank.expansions, bank.features, number=prompt.number, most=self.most
        )
        return [made]

    def size(self, decoder: Decoder, rows: Sequence[TokenRow], size: int) -> int:
        return size

    def compute(
        self, decoder: Decoder, batch: Sequence[Group], stopped: Stopped
    ) -> Mapping[int, Any]:
        return decoder.answers(batch, stopped)

    def found(self, decoder: Decoder, made: Sequence[Any], seconds: float) -> RowAnswer:
        (ids,) = made
        ended = bool(ids) and ids[-1] in decoder.ends
        said = ids[:-1] if ended else ids
        text = decoder.tokenizer.decode(said, skip_special_tokens=True).strip()
        return RowAnswer(text, len(said), seconds, cut=not ended)

    def plain(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        prompts: Sequence[RowPrompt],
        examples: Sequence[EvalExample],
        stopped: Stopped,
    ) -> list[RowAnswer]:
        # Padding would count as repeated.
        alone = (model.generation_config.repetition_penalty or 1.0) != 1.0
        size = 1 if alone else len(examples)
        return _written(model, processor, examples, self.most, size, stopped)

    def failed(self, reason: str) -> RowAnswer:
        return RowAnswer(reason=reason)

    def read(self, entry: Mapping[str, Any]) -> RowAnswer:
        return RowAnswer(**entry)

    def written(self, result: RowAnswer) -> dict[str, Any]:
        return asdict(result)


@dataclass(frozen=True)
class Samples:
    """Several answers to each row, of at most `most` tokens, each written as its draw says."""

    most: int
    draws: tuple[Draw, ...]

    def asked(self, number: int) -> object:
        return ["samples", self.most, [asdict(draw) for draw in self.draws]]

    def token_rows(
        self, writer: PromptWriter, prompt: RowPrompt, bank: ImageBank
    ) -> list[TokenRow]:
        first = prompt.number * len(self.draws)
        made = writer.token_row(
            prompt, bank.expansions, bank.features, number=first, most=self.most
        )
        return [
            replace(made, number=first + place, draw=draw, stream=stream)
            for place, (draw, stream) in enumerate(self._drawn(prompt))
        ]

    def size(self, decoder: Decoder, rows: Sequence[TokenRow], size: int) -> int:
        return max(size, len(self.draws))

    def compute(
        self, decoder: Decoder, batch: Sequence[Group], stopped: Stopped
    ) -> Mapping[int, Any]:
        return decoder.answers(batch, stopped)

    def found(self, decoder: Decoder, made: Sequence[Any], seconds: float) -> RowSamples:
        one = Answers(self.most)
        share = seconds / max(1, len(made))
        return RowSamples([one.found(decoder, [ids], share) for ids in made])

    def plain(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        prompts: Sequence[RowPrompt],
        examples: Sequence[EvalExample],
        stopped: Stopped,
    ) -> list[RowSamples]:
        found = []
        for prompt, example in zip(prompts, examples, strict=True):
            draws, streams = zip(*self._drawn(prompt), strict=True)
            same, drawn = [example] * len(draws), DrawnTokens(draws, streams)
            answers = _written(model, processor, same, self.most, len(draws), stopped, drawn)
            found.append(RowSamples(answers))
        return found

    def failed(self, reason: str) -> RowSamples:
        return RowSamples(reason=reason)

    def read(self, entry: Mapping[str, Any]) -> RowSamples:
        answers = [RowAnswer(**one) for one in entry["answers"]]
        return RowSamples(answers, entry["reason"])

    def written(self, result: RowSamples) -> dict[str, Any]:
        return asdict(result)

    def _drawn(self, prompt: RowPrompt) -> list[tuple[Draw, int]]:
        return [
            (draw, stream_of(draw, place, prompt.text, prompt.keys))
            for place, draw in enumerate(self.draws)
        ]


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of given answers: for each row any number of them."""

    answers: Sequence[Sequence[str]]

    def asked(self, number: int) -> object:
        return ["scores", list(self.answers[number])]

    def token_rows(
        self, writer: PromptWriter, prompt: RowPrompt, bank: ImageBank
    ) -> list[TokenRow]:
        most = max(map(len, self.answers), default=1)
        return [
            writer.token_row(
                prompt,
                bank.expansions,
                bank.features,
                number=prompt.number * most + place,
                answer=writer.answer_ids(prompt, answer),
            )
            for place, answer in enumerate(self.answers[prompt.number])
        ]

    def size(self, decoder: Decoder, rows: Sequence[TokenRow], size: int) -> int:
        longest = max((row.tail for row in rows), default=1)
        return max(1, min(size, LOGITS // (longest * decoder.vocabulary)))

    def compute(
        self, decoder: Decoder, batch: Sequence[Group], stopped: Stopped
    ) -> Mapping[int, Any]:
        return decoder.scores(batch)

    def found(self, decoder: Decoder, made: Sequence[Any], seconds: float) -> RowScores:
        return RowScores([total for total, _ in made], [tokens for _, tokens in made])

    def plain(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        prompts: Sequence[RowPrompt],
        examples: Sequence[EvalExample],
        stopped: Stopped,
    ) -> list[RowScores]:
        flat = [
            (example, answer)
            for example, prompt in zip(examples, prompts, strict=True)
            for answer in self.answers[prompt.number]
        ]
        totals = iter(
            completion_log_probs(
                model,
                processor,
                [example for example, _ in flat],
                [answer for _, answer in flat],
                batch_size=len(examples),
            )
        )
        found = []
        for example, prompt in zip(examples, prompts, strict=True):
            given = self.answers[prompt.number]
            tokens = [_tokens(processor, example, answer) for answer in given]
            found.append(RowScores([next(totals) for _ in given], tokens))
        return found

    def failed(self, reason: str) -> RowScores:
        return RowScores(reason=reason)

    def read(self, entry: Mapping[str, Any]) -> RowScores:
        return RowScores(**entry)

    def written(self, result: RowScores) -> dict[str, Any]:
        return asdict(result)


class _Stopping(StoppingCriteria):
    """Ends all answers of a batch when the user stops."""

    def __init__(self, stopped: Stopped) -> None:
        self._stopped = stopped
        self.said = False

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.said = self.said or self._stopped()
        return torch.full((len(input_ids),), self.said, device=input_ids.device)


def _written(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    most: int,
    size: int,
    stopped: Stopped,
    choosing: DrawnTokens | None = None,
) -> list[RowAnswer]:
    """Answer rows by the model's own `generate`, `size` at once."""
    stopping = _Stopping(stopped)
    made = generate(
        model,
        processor,
        examples,
        batch_size=size,
        max_new_tokens=most,
        stopping=stopping,
        ends=stop_tokens(processor, model),
        choosing=choosing,
    )
    if stopping.said:
        raise StoppedError("Stopped while answers were written.")
    return [RowAnswer(one.text, one.tokens, cut=one.tokens == most) for one in made]


def _tokens(processor: ProcessorMixin, example: EvalExample, answer: str) -> int:
    text = render_completion(processor, example, answer)
    return len(processor.tokenizer(text, add_special_tokens=False)["input_ids"])
