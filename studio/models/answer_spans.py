"""Where the answers of a conversation stand in its text and among its tokens.

Scripts that runs are written as get this file's text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from transformers import ProcessorMixin

OTHERWISE = (
    "The model's chat template writes an earlier answer of a conversation otherwise than when it "
    "was the last one, so it cannot be scored. Set data.turns: last."
)


def scored_tokens(
    processor: ProcessorMixin,
    prompt: Sequence[dict[str, Any]],
    answer: Sequence[dict[str, Any]],
    scored: Sequence[int],
    ids: Sequence[int],
) -> list[int]:
    """Return the places of the tokens of the earlier answers that are scored, among those of the
    prompt.

    Args:
        prompt, answer: Messages with bare image places.
        scored: Places of these answers in the prompt.
        ids: Tokens of the prompt, images expanded.

    Raises:
        ValueError: The template does not write these answers in place.
    """
    text, spans = answer_spans(processor, prompt, answer, scored)
    made = processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    plain, found, position = made["input_ids"], [], 0
    wanted = [
        place
        for place, (start, end) in enumerate(made["offset_mapping"])
        if any(start < last and end > first for first, last in spans)
    ]
    image = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    for begin, end in texts_between(plain, image):
        marked = [place for place in wanted if begin <= place < end]
        if not marked:
            continue
        last = marked[-1] + 1
        if end == len(plain):
            ending = len(ids) - (end - marked[0])
            stop = end_of_first(ids, [plain[marked[0] : end]], ending) - (end - last)
        else:  # an image may melt with the tokens behind it
            texts = [plain[first:last] for first in range(begin, marked[0] + 1)]
            stop = end_of_first(ids, texts, position)
        found += [stop - (last - place) for place in marked]
        position = stop
    return found


def answer_spans(
    processor: ProcessorMixin,
    prompt: Sequence[dict[str, Any]],
    answer: Sequence[dict[str, Any]],
    scored: Sequence[int],
) -> tuple[str, list[tuple[int, int]]]:
    """Return the prompt as TRL writes it, and where these earlier answers begin and end in it.

    Each begins where the model would have been asked for it, and ends with all that the template
    writes behind it.

    Raises:
        ValueError: The template does not write these answers in place.
    """

    def written(messages: Sequence[dict[str, Any]], asking: bool) -> str:
        return processor.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=asking
        )

    whole, spans = written([*prompt, *answer], False), []
    text = whole[: shared_start(written(prompt, True), whole)]
    for place in scored:
        through = written(prompt[: place + 1], False)
        if not text.startswith(through):
            raise ValueError(OTHERWISE)
        spans.append((shared_start(written(prompt[:place], True), through), len(through)))
    return text, spans


def texts_between(plain: Sequence[int], image: int) -> Iterator[tuple[int, int]]:
    """Yield where the texts before, between and behind the places of images begin and end."""
    begin = 0
    for place, token in enumerate(plain):
        if token == image:
            yield begin, place
            begin = place + 1
    yield begin, len(plain)


def end_of_first(ids: Sequence[int], texts: Sequence[Sequence[int]], position: int) -> int:
    """Return where the first of `texts` that stands in `ids`, from `position` on, ends there.

    Raises:
        ValueError: None does.
    """
    for text in texts:
        for place in range(max(0, position), len(ids) - len(text) + 1):
            if list(ids[place : place + len(text)]) == list(text):
                return place + len(text)
    raise ValueError(OTHERWISE)


def shared_start(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
