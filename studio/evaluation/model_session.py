"""One base model in memory that answers rows as itself and as adapters make it.

Everything that computes is `answering`'s; here its results become those that evaluations keep.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from studio.config.model import ModelConfig
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import AnswerLikelihoods, DrawnAnswers, RowAnswer
from studio.models.adapter_weights import check_adapter
from studio.models.answering.answering import Answering
from studio.models.answering.sampling_settings import Draw
from studio.models.answering.settings import AnswerSettings, Contestant, Found
from studio.models.load import load_model

Progress = Callable[[int], None]


def check_model(model: EvaluatedModel, base: ModelConfig) -> None:
    """Check without loading that an adapter fits the base and is what the evaluation began with.

    Raises:
        InputError: It is gone, damaged, or of another base; an endpoint has no key.
        ConflictError: Its weights were replaced.
    """
    if model.endpoint is not None:
        model.endpoint.key()
    model.ensure_unchanged()
    if model.adapter and model.folder is not None:
        check_adapter(
            model.folder, base, purpose="chat", field="adapter", same_base=model.same_base
        )


class ModelSession:
    """A base in memory, with the adapters that are put on it.

    Attributes:
        notes: What a reader should know of how it was computed, in sentences.
    """

    def __init__(
        self, base: ModelConfig, workspace: Workspace, *, batch_size: int, max_new_tokens: int
    ) -> None:
        settings = AnswerSettings.kept_in(
            workspace, max_new_tokens=max_new_tokens, batch_size=batch_size
        )
        self._answering = Answering(load_model(base), base, ImageStore(workspace), settings)
        self.notes: dict[str, None] = {}

    def answers(
        self, models: Sequence[EvaluatedModel], rows: Mapping[int, Row], progress: Progress
    ) -> dict[str, dict[int, RowAnswer]]:
        """Return each model's greedy answers by the numbers of the rows.

        Args:
            progress: Told how many answers there are so far.
        """
        found = self._answering.answers(
            list(rows.values()), _contestants(models), progress=lambda done, *_: progress(done)
        )
        self.notes |= dict.fromkeys(found.notes)
        made = _numbered(rows, found.by_name)
        return {
            name: {n: RowAnswer(one.text, one.tokens, one.cut, one.reason) for n, one in by_row}
            for name, by_row in made.items()
        }

    def drawn(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        draws: Sequence[Draw],
        progress: Progress,
    ) -> dict[str, dict[int, DrawnAnswers]]:
        """Return several answers of each model to each row, one for each draw."""
        found = self._answering.samples(
            list(rows.values()),
            draws,
            _contestants(models),
            progress=lambda done, *_: progress(done),
        )
        self.notes |= dict.fromkeys(found.notes)
        made = _numbered(rows, found.by_name)
        return {
            name: {
                n: DrawnAnswers(
                    tuple(RowAnswer(a.text, a.tokens, a.cut, a.reason) for a in one.answers),
                    one.reason,
                )
                for n, one in by_row
            }
            for name, by_row in made.items()
        }

    def likelihoods(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        texts: Mapping[int, Sequence[str]],
        progress: Progress,
    ) -> dict[str, dict[int, AnswerLikelihoods]]:
        """Return how likely each model finds given answers, by the numbers of the rows."""
        found = self._answering.scores(
            list(rows.values()),
            [texts[number] for number in rows],
            _contestants(models),
            progress=lambda done, *_: progress(done),
        )
        self.notes |= dict.fromkeys(found.notes)
        made = _numbered(rows, found.by_name)
        return {
            name: {
                n: AnswerLikelihoods(tuple(one.totals), tuple(one.tokens), one.reason)
                for n, one in by_row
            }
            for name, by_row in made.items()
        }

    def close(self) -> None:
        """Give the memory back."""
        del self._answering
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _contestants(models: Iterable[EvaluatedModel]) -> list[Contestant]:
    return [
        Contestant(model.name, model.folder if model.adapter else None, model.same_base)
        for model in models
    ]


def _numbered(
    rows: Mapping[int, Row], by_name: Mapping[str, Sequence[Found | None]]
) -> dict[str, list[tuple[int, Found]]]:
    return {
        name: [(n, one) for n, one in zip(rows, found, strict=True) if one is not None]
        for name, found in by_name.items()
    }
