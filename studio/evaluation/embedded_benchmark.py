"""The embedded model and the adapters trained on it, asked the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from studio.config.model import ModelConfig
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.evaluation.evaluation_examples import example_of, pairs_of
from studio.models.generation import generate_answers
from studio.models.likelihood import preference_accuracy
from studio.models.load import load_model
from studio.models.loaded_adapters import AdapterShelf
from studio.runs.store import Run


class Bench:
    """One loaded base model; each question goes to it or to a run's adapter on it."""

    def __init__(self, images: ImageStore, model: ModelConfig | None = None) -> None:
        self.images = images
        model = model or ModelConfig()
        self.loaded = load_model(model)
        self._shelf = AdapterShelf(self.loaded.model, model)

    def answers(self, rows: Sequence[Row], run: Run | None = None) -> list[str]:
        """Return the greedy answers, in order."""
        examples = [example_of(row, self.images) for row in rows]
        return generate_answers(self._as(run), self.loaded.processor, examples, batch_size=32)

    def answer(self, row: Row, run: Run | None = None) -> str:
        """Return the greedy answer to one row."""
        return self.answers([row], run)[0]

    def preference_accuracy(self, rows: Sequence[Row], run: Run | None = None) -> float:
        """Return the share of pairs whose chosen answer is the likelier one."""
        return preference_accuracy(
            self._as(run), self.loaded.processor, pairs_of(rows, self.images), batch_size=32
        )

    def _as(self, run: Run | None) -> PreTrainedModel:
        """The model, answering as the run's adapter makes it."""
        same = (
            run is not None and run.config.adapter is not None and run.config.adapter.base_is_same
        )
        self._shelf.activate(run.paths.adapter if run else None, same_base=same)
        return self.loaded.model
