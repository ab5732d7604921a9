"""Tokens of rows, as training will count them: prompt with its images, then the answer.

As TRL's vision collators do, a prompt and its answer are tokenized apart and joined, without
added special tokens. A prompt is tokenized with its placeholders; what each image adds in their
place depends on its size alone and is added at the end (`Expansions`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from transformers import ProcessorMixin

from studio.data.schema import Answer, Row
from studio.data.template_adaptation import ANY_MODEL, Fit
from studio.data.trl_format import answer_messages, bare, prompt_messages, system_in_question
from studio.models.image_tokens import Expansion, Expansions, Kind, Size
from studio.models.prompt_inputs import common_prefix
from studio.models.template_rendering import Message, Renderer

BATCH = 256


@dataclass(frozen=True)
class RowTokens:
    """What one row comes to.

    Attributes:
        images: Tokens of its images.
        images_end: Tokens up to and with the last image; 0 without images.
        prompt: Tokens before the answer.
        chosen, rejected: Tokens of the two answers; 0 where there is none.
        total: Prompt and the longest answer.
    """

    images: int
    images_end: int
    chosen: int
    rejected: int
    total: int
    prompt: int = 0


@dataclass(frozen=True)
class WrittenRow:
    """A row as messages: its prompt, and the answers that may follow it.

    Attributes:
        paired: Whether the answers are a chosen and a rejected one.
    """

    prompt: Sequence[Message]
    answers: Sequence[Sequence[Message]]
    paired: bool = False


@dataclass
class TokenCounter:
    """Gathers rows, and counts their tokens at the end."""

    processor: ProcessorMixin
    fit: Fit = ANY_MODEL
    _waiting: list[tuple[WrittenRow, tuple[Kind, ...]]] = field(default_factory=list)
    _counts: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    _kinds: list[tuple[Kind, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._renderer = Renderer(self.processor)
        self._expansions = Expansions(self.processor)
        self._placeholder = placeholder_id(self.processor)
        self.found: dict[Kind, Expansion] = {}

    @property
    def measured(self) -> int:
        """How many kinds of images went through the processor itself."""
        return self._expansions.measured

    @property
    def uses(self) -> Counter[Kind]:
        """How often each kind of image occurs."""
        return Counter(kind for kinds in self._kinds for kind in kinds)

    def add(self, row: Row, sizes: Sequence[Size]) -> None:
        """Gather a row, whose images have these sizes (width, height)."""
        answers = [bare(answer_messages(answer)) for answer in learned(row)]
        paired = row.chosen is not None and row.rejected is not None
        self.add_written(WrittenRow(fitted_prompt(row, self.fit), answers, paired), sizes)

    def add_written(self, written: WrittenRow, sizes: Sequence[Size]) -> None:
        """Gather a row that is messages already."""
        self._waiting.append((written, tuple((len(sizes), size) for size in sizes)))
        if len(self._waiting) >= BATCH:
            self._flush()

    def expand(self) -> Iterator[tuple[int, int]]:
        """Find out what every kind of image becomes; yields kinds done and kinds in all.

        Raises:
            ModelError: The processor refuses an image of such a size.
        """
        self._flush()
        kinds = self.uses
        for kind, expansion in self._expansions.of(kinds):
            self.found[kind] = expansion
            yield len(self.found), len(kinds)

    def rows(self) -> list[RowTokens]:
        """Return the tokens of every row, in the order they were added; `expand` must have ended."""
        return [
            self._row(counts, kinds)
            for counts, kinds in zip(self._counts, self._kinds, strict=True)
        ]

    def _row(self, counts: tuple[int, ...], kinds: tuple[Kind, ...]) -> RowTokens:
        prompt, last_image, chosen, rejected, longest = counts
        images = sum(self.found[kind].tokens for kind in kinds)
        added = images - len(kinds)
        return RowTokens(
            images=images,
            images_end=last_image + 1 + added if kinds else 0,
            chosen=chosen,
            rejected=rejected,
            total=prompt + added + longest,
            prompt=prompt + added,
        )

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        prompts, answers, owners = [], [], []
        for place, (written, _) in enumerate(waiting):
            prompt, completions = self._texts(written)
            prompts.append(prompt)
            answers += completions
            owners += [place] * len(completions)
        lengths: list[list[int]] = [[] for _ in waiting]
        for owner, ids in zip(owners, self._ids(answers), strict=True):
            lengths[owner].append(len(ids))
        for (written, kinds), ids, counts in zip(waiting, self._ids(prompts), lengths, strict=True):
            chosen, rejected = counts if written.paired else (0, 0)
            longest = max(counts, default=0)
            self._counts.append((len(ids), self._last_image(ids), chosen, rejected, longest))
            self._kinds.append(kinds)

    def _texts(self, written: WrittenRow) -> tuple[str, list[str]]:
        """The prompt and the answers that follow it, as TRL renders them."""
        messages = written.prompt
        prompt = self._renderer.prompt(messages)
        full = [self._renderer.conversation([*messages, *one]) for one in written.answers]
        shared = common_prefix([prompt, *full])
        return (shared if full else prompt), [text[len(shared) :] for text in full]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        made = self.processor.tokenizer(texts, add_special_tokens=False, verbose=False)
        return made["input_ids"]

    def _last_image(self, ids: list[int]) -> int:
        places = np.flatnonzero(np.asarray(ids) == self._placeholder)
        return int(places[-1]) if len(places) else -1


def placeholder_id(processor: ProcessorMixin) -> int | None:
    """Return the token that stands for an image before it is expanded."""
    token: Any = getattr(processor, "image_token", None)
    if token is None:
        return getattr(processor, "image_token_id", None)
    return processor.tokenizer.convert_tokens_to_ids(str(token))


def fitted_prompt(row: Row, fit: Fit) -> list[Message]:
    """Return the prompt of a row as the chat template takes it."""
    messages = bare(prompt_messages(row))
    return messages if fit.system else system_in_question(messages)


def learned(row: Row) -> list[Answer]:
    """Return the answers that are trained on or, before there are labels, could be."""
    if row.chosen and row.rejected:
        return [row.chosen, row.rejected]
    one = row.completion or row.chosen
    return [one] if one else list(row.candidates)
