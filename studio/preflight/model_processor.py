"""A model's processor and what else a check needs of the model; no weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from transformers import ProcessorMixin

from studio.config.model import ModelConfig
from studio.data.template_adaptation import Fit
from studio.models.chat_template import fit_of
from studio.models.model_source import load_config, load_processor
from studio.models.row_tokens import TokenCounter
from studio.models.weights_check import check_weights, weights_are_here


@dataclass(frozen=True)
class Model:
    """A model's processor, and how much the model can read.

    Attributes:
        context: Tokens; None when the model does not say.
    """

    name: str
    processor: ProcessorMixin
    special_tokens: list[str]
    context: int | None

    @cached_property
    def fit(self) -> Fit:
        """How its chat template wants the rows."""
        return fit_of(self.processor)

    def counter(self) -> TokenCounter:
        """Return a counter of tokens that has counted nothing yet."""
        return TokenCounter(self.processor, self.fit)


def open_model(config: ModelConfig) -> Model:
    """Load a model's processor and configuration, and check the weights that are here.

    Raises:
        ModelError: Something of them cannot be used.
    """
    processor = load_processor(config)
    if weights_are_here(config):
        check_weights(config)
    text = load_config(config).get_text_config()
    return Model(
        config.id,
        processor,
        list(processor.tokenizer.all_special_tokens),
        getattr(text, "max_position_embeddings", None),
    )
