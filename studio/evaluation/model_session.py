"""One loaded base model that answers rows as itself or as an adapter makes it."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import torch
from transformers import PreTrainedModel

from studio.config.model import ModelConfig
from studio.core.errors import StudioError
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import AnswerLikelihoods, RowAnswer
from studio.evaluation.evaluation_rows import example_of
from studio.models.adapter_weights import check_adapter
from studio.models.generation import generate
from studio.models.likelihood import completion_log_probs
from studio.models.load import load_model
from studio.models.loaded_adapters import AdapterShelf
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.models.prompt_inputs import render_completion
from studio.models.prompts import EvalExample

OUT_OF_MEMORY = "Memory ran out for this row alone; use smaller images."


def check_model(model: EvaluatedModel, base: ModelConfig) -> None:
    """Check without loading that an adapter fits the base and is what the evaluation began with.

    Raises:
        InputError: It is gone, damaged, or of another base.
        ConflictError: Its weights were replaced.
    """
    model.ensure_unchanged()
    if model.adapter and model.folder is not None:
        check_adapter(
            model.folder, base, purpose="chat", field="adapter", same_base=model.same_base
        )


class ModelSession:
    """A base in memory, with the adapters that are put on it."""

    def __init__(self, base: ModelConfig, images: ImageStore, batch_size: int) -> None:
        self.base, self._images, self._batch_size = base, images, batch_size
        self.loaded = load_model(base)
        self.loaded.model.eval()
        self._shelf = AdapterShelf(self.loaded.model, base)

    def answers(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        max_new_tokens: int,
    ) -> dict[str, dict[int, RowAnswer]]:
        """Return each model's greedy answers by the numbers of the rows."""
        examples, failed = self._examples(rows)
        return {
            model.name: {number: RowAnswer(reason=why) for number, why in failed.items()}
            | self._answered(self._as(model), examples, max_new_tokens)
            for model in models
        }

    def likelihoods(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        texts: Mapping[int, Sequence[str]],
    ) -> dict[str, dict[int, AnswerLikelihoods]]:
        """Return how likely each model finds given answers, by the numbers of the rows."""
        examples, failed = self._examples(rows)
        return {
            model.name: {number: AnswerLikelihoods(reason=why) for number, why in failed.items()}
            | self._scored(self._as(model), examples, texts)
            for model in models
        }

    def close(self) -> None:
        """Give the memory back."""
        del self.loaded, self._shelf
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _as(self, model: EvaluatedModel) -> PreTrainedModel:
        folder = model.folder if model.adapter else None
        self._shelf.activate(folder, same_base=model.same_base)
        return self.loaded.model

    def _examples(self, rows: Mapping[int, Row]) -> tuple[dict[int, EvalExample], dict[int, str]]:
        examples: dict[int, EvalExample] = {}
        failed: dict[int, str] = {}
        for number, row in rows.items():
            try:
                examples[number] = example_of(row, self._images)
            except StudioError as error:  # the image is gone or damaged
                failed[number] = str(error)
        return examples, failed

    def _answered(
        self, asked: PreTrainedModel, examples: Mapping[int, EvalExample], most: int
    ) -> dict[int, RowAnswer]:
        try:
            made = generate(
                asked,
                self.loaded.processor,
                list(examples.values()),
                batch_size=self._batch_size,
                max_new_tokens=most,
            )
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            made = None
        if made is None:
            halves = self._halves(examples)
            if not halves:
                return {number: RowAnswer(reason=OUT_OF_MEMORY) for number in examples}
            return {
                n: one for half in halves for n, one in self._answered(asked, half, most).items()
            }
        return {
            number: RowAnswer(one.text, one.tokens, cut=one.tokens >= most)
            for number, one in zip(examples, made, strict=True)
        }

    def _scored(
        self,
        asked: PreTrainedModel,
        examples: Mapping[int, EvalExample],
        texts: Mapping[int, Sequence[str]],
    ) -> dict[int, AnswerLikelihoods]:
        flat = [(number, text) for number in examples for text in texts[number]]
        try:
            totals = completion_log_probs(
                asked,
                self.loaded.processor,
                [examples[number] for number, _ in flat],
                [text for _, text in flat],
                batch_size=self._batch_size,
            )
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            totals = None
        if totals is None:
            halves = self._halves(examples)
            if not halves:
                return {n: AnswerLikelihoods(reason=OUT_OF_MEMORY) for n in examples}
            return {
                n: one for half in halves for n, one in self._scored(asked, half, texts).items()
            }
        found: dict[int, AnswerLikelihoods] = {}
        for (number, text), total in zip(flat, totals, strict=True):
            known = found.get(number, AnswerLikelihoods())
            length = self._tokens(examples[number], text)
            found[number] = AnswerLikelihoods((*known.totals, total), (*known.tokens, length))
        return found

    def _tokens(self, example: EvalExample, text: str) -> int:
        processor = self.loaded.processor
        written = render_completion(processor, example, text)
        return len(processor.tokenizer(written, add_special_tokens=False)["input_ids"])

    def _halves(self, examples: Mapping[int, EvalExample]) -> list[dict[int, EvalExample]]:
        """Two halves for another try, after giving memory back; none of a single row."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        items = list(examples.items())
        middle = len(items) // 2
        return [dict(items[:middle]), dict(items[middle:])] if middle else []
