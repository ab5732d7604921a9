"""How likely a model finds given answers, and whether it prefers the better one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import pad
from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

from studio.core.errors import InputError
from studio.models.prompt_inputs import encode, render_completion
from studio.models.prompts import EvalExample, PreferencePair, batches_by_image_count


@torch.inference_mode()
def completion_log_probs(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    completions: Sequence[str],
    *,
    batch_size: int = 16,
) -> list[float]:
    """Return the summed log-probability of each completion, end-of-sequence token included, in
    nats.

    Prompt and completion are tokenized apart and joined, as TRL does in training. Raises InputError
    unless there is one completion for each example.
    """
    if len(examples) != len(completions):
        raise InputError(f"{len(completions)} completions for {len(examples)} prompts.")
    was_training = model.training
    model.eval()
    scores = [0.0] * len(examples)
    for batch in batches_by_image_count(examples, batch_size):
        part = [examples[index] for index in batch]
        texts = [render_completion(processor, examples[i], completions[i]) for i in batch]
        for index, score in zip(batch, _scores(model, processor, part, texts), strict=True):
            scores[index] = score
    model.train(was_training)
    return scores


def preference_accuracy(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pairs: Sequence[PreferencePair],
    *,
    batch_size: int = 16,
) -> float:
    """Return the share of pairs, in [0, 1], whose chosen answer is strictly likelier than the rejected
    one.

    Likelihood is the sum over tokens, not the mean. Raises InputError when there are no pairs.
    """
    if not pairs:
        raise InputError("No pairs to score.", remedy="Give at least one.")
    examples = [pair.example for pair in pairs]
    answers = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    scores = completion_log_probs(model, processor, examples * 2, answers, batch_size=batch_size)
    chosen, rejected = scores[: len(pairs)], scores[len(pairs) :]
    return sum(c > r for c, r in zip(chosen, rejected, strict=True)) / len(pairs)


def _scores(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    texts: Sequence[str],
) -> list[float]:
    inputs = encode(model, processor, examples, "right")
    prompt_lengths = inputs["attention_mask"].sum(1).tolist()
    completions = [
        processor.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts
    ]
    _append(inputs, prompt_lengths, completions)
    width = inputs["input_ids"].shape[1]
    kept = width - min(prompt_lengths) + 1
    logits = model(**inputs, logits_to_keep=kept).logits[:, -kept:-1].float()
    targets = inputs["input_ids"][:, 1 - kept :]
    log_probs = logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    start = width - kept + 1
    return [
        row[length - start : length - start + len(completion)].sum().item()
        for row, length, completion in zip(log_probs, prompt_lengths, completions, strict=True)
    ]


def _append(inputs: BatchFeature, lengths: list[int], completions: list[list[int]]) -> None:
    """Writes each completion after its prompt, in place; everything token-shaped grows with it."""
    shape = inputs["input_ids"].shape
    longest = max(n + len(ids) for n, ids in zip(lengths, completions, strict=True))
    for name, tensor in list(inputs.items()):
        if isinstance(tensor, torch.Tensor) and tensor.shape == shape:
            inputs[name] = pad(tensor, (0, max(0, longest - shape[1])))
    for row, (length, ids) in enumerate(zip(lengths, completions, strict=True)):
        span = slice(length, length + len(ids))
        inputs["input_ids"][row, span] = torch.tensor(ids, device=inputs["input_ids"].device)
        inputs["attention_mask"][row, span] = 1
