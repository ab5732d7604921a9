"""Where an answer ends: at a token that ends it, or at the end of the model's context."""

from __future__ import annotations

from transformers import PreTrainedModel, ProcessorMixin


def stop_tokens(processor: ProcessorMixin, model: PreTrainedModel) -> list[int]:
    """Return the ids that end an answer: the model's, the tokenizer's and `<end_of_utterance>`."""
    known = model.generation_config.eos_token_id
    stops = set(known if isinstance(known, list) else [known])
    tokenizer = processor.tokenizer
    stops.add(tokenizer.eos_token_id)
    stops.add(tokenizer.get_added_vocab().get("<end_of_utterance>"))
    return sorted(stops - {None})


def context_room(model: PreTrainedModel, prompt: int) -> int:
    """Return how many tokens still fit into the model's context behind `prompt` tokens."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return (limit or 1 << 30) - prompt
