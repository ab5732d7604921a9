"""The embedded model and the adapters trained on it, asked the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager

from peft import PeftModel
from transformers import PreTrainedModel

from studio.config.model import ModelConfig
from studio.data.images import ImageStore
from studio.data.schema import Row
from studio.evaluate.generate import generate_answers
from studio.evaluate.score import preference_accuracy
from studio.evaluate.sets import example_of, pairs_of
from studio.models.adapters import inspect_adapter
from studio.models.load import load_model
from studio.runs.store import Run


class Bench:
    """One loaded base model; each question goes to it or to a run's adapter on it."""

    def __init__(self, images: ImageStore, model: ModelConfig | None = None) -> None:
        self.images = images
        self.loaded = load_model(model or ModelConfig())
        self._adapted: PeftModel | None = None

    def answers(self, rows: Sequence[Row], run: Run | None = None) -> list[str]:
        """Greedy answers, in order."""
        examples = [example_of(row, self.images) for row in rows]
        with self._using(run) as model:
            return generate_answers(model, self.loaded.processor, examples, batch_size=32)

    def answer(self, row: Row, run: Run | None = None) -> str:
        """The greedy answer to one row."""
        return self.answers([row], run)[0]

    def preference_accuracy(self, rows: Sequence[Row], run: Run | None = None) -> float:
        """Share of pairs whose chosen answer is the likelier one."""
        with self._using(run) as model:
            return preference_accuracy(
                model, self.loaded.processor, pairs_of(rows, self.images), batch_size=32
            )

    @contextmanager
    def _using(self, run: Run | None):
        if run is None and self._adapted is None:
            yield self.loaded.model
        elif run is None:
            with self._adapted.disable_adapter():
                yield self._adapted
        else:
            yield self._with(run)

    def _with(self, run: Run) -> PreTrainedModel | PeftModel:
        folder, name = run.paths.adapter, run.run_id.replace(".", "_")
        inspect_adapter(folder)
        if self._adapted is None:
            self._adapted = PeftModel.from_pretrained(self.loaded.model, folder, adapter_name=name)
        elif name not in self._adapted.peft_config:
            self._adapted.load_adapter(folder, adapter_name=name)
        self._adapted.set_adapter(name)
        return self._adapted
