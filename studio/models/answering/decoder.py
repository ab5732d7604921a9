"""Answers and log-probabilities of many prompts at once, on features made beforehand.

Rows that begin alike (the same image before different questions, a prompt before two answers) have
their beginning computed once. Rows are padded on the left, positions are told explicitly, and rows
that have ended leave the batch. In float32 the answers are those of one `generate` call per row; in
16 bits, as with any batching, two tokens that are as good as equally likely may change places.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, ProcessorMixin

from studio.core.errors import StoppedError
from studio.models.answering.key_value_cache import empty_cache
from studio.models.answering.sampling import draw_tokens
from studio.models.answering.sampling_settings import Draw
from studio.models.compat.transformers_internals import attention_of
from studio.models.image_features.families import FAMILIES, MASKS, Family, blocks_of, windows_of
from studio.models.image_features.image_encoder import as_outputs
from studio.models.stop_tokens import stop_tokens

WORTH = 48
"""Tokens that sharing beginnings must spare at least: it takes a forward pass of its own."""
UNUSUAL: dict[str, tuple[Any, ...]] = {
    "num_beams": (None, 1),
    "no_repeat_ngram_size": (None, 0),
    "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0),
    "bad_words_ids": (None,),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "sequence_bias": (None,),
    "exponential_decay_length_penalty": (None,),
    "guidance_scale": (None, 1.0),
    "watermarking_config": (None,),
}
"""Settings of a model's own generation that change greedy answers, with the values that do not."""

Stopped = Callable[[], bool]


@dataclass(frozen=True)
class TokenRow:
    """One prompt, or a prompt and an answer to be scored, ready for the decoder.

    Attributes:
        number: Of the row it belongs to.
        ids: Token ids, (tokens,).
        slots: For each token the number of its image feature within the row, -1 for text.
        images: Keys of its images, in order; rows with the same may share their beginning.
        features: (image tokens, width); None without images.
        positions: (3, tokens), where positions have three axes.
        room: Most tokens to be written.
        scored: Tokens at the end whose log-probability is wanted.
        draw, stream: How tokens are drawn, and from which random numbers; None takes the
            likeliest.
    """

    number: int
    ids: np.ndarray
    slots: np.ndarray
    images: tuple[str, ...] = ()
    features: torch.Tensor | None = None
    positions: np.ndarray | None = None
    room: int = 0
    scored: int = 0
    draw: Draw | None = None
    stream: int = 0

    @property
    def tail(self) -> int:
        """Tokens at the end whose output is needed."""
        return self.scored + 1

    def span(self, start: int, end: int | None = None) -> TokenRow:
        """Return the tokens from `start` to `end` with their features and positions."""
        slots = self.slots[start:end]
        pictured = slots[slots >= 0]
        features = self.features
        if features is not None:
            features = features[torch.as_tensor(pictured, device=features.device)]
        axes = self.positions
        places = np.arange(len(self.ids))[start:end]
        axes = np.broadcast_to(places, (1, len(places))) if axes is None else axes[:, start:end]
        return replace(
            self, ids=self.ids[start:end], slots=slots, features=features, positions=axes
        )


Group = Sequence[TokenRow]
"""Rows that may begin alike."""


@dataclass
class Context:
    """What has been read: keys and values, and which of their places are no padding."""

    cache: Any
    seen: torch.Tensor

    def choose(self, rows: Sequence[int]) -> None:
        """Keep these rows, each as often as it is named."""
        chosen = torch.tensor(rows, device=self.seen.device)
        self.cache.batch_select_indices(chosen)
        self.seen = self.seen[chosen]


def obstacle(model: PreTrainedModel) -> str:
    """Return why the decoder is not used for a model; empty when it is."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        return f"{kind} is not among the families that shared image features are proved for"
    text, family = model.config.get_text_config(), FAMILIES[kind]
    if family.prefix or family.types or blocks_of(model.config):
        return f"{kind} reads an image's tokens in both directions"
    windows = windows_of(text)
    if not windows or any(windows.values()):
        return f"not every layer of this {kind} model sees all tokens"
    if attention_of(text) not in MASKS:
        return f"{attention_of(text)} attention takes no padding within a row"
    settings = model.generation_config
    unusual = [
        name for name, plain in UNUSUAL.items() if getattr(settings, name, None) not in plain
    ]
    return f"its own generation settings change answers ({', '.join(unusual)})" if unusual else ""


@dataclass
class Writing:
    """Answers that are being written.

    Attributes:
        rows: Those that go on.
        logits: What comes next for each of them: (rows, vocabulary).
        places: For each the position of its next token.
    """

    rows: list[TokenRow]
    logits: torch.Tensor
    context: Context
    places: np.ndarray

    def keep(self, going: Sequence[int]) -> None:
        """Go on with these rows only, by their places in `rows`."""
        self.context.choose(going)
        self.rows = [self.rows[index] for index in going]
        self.logits, self.places = self.logits[list(going)], self.places[list(going)]


class Decoder:
    """Runs a model, with the adapter that is active on it, on token rows.

    Args:
        forward: Called in place of the model; one that lets each row have an adapter of its own.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        forward: Callable[..., Any] | None = None,
    ) -> None:
        self.model = model
        self._call = forward or model
        self.tokenizer = processor.tokenizer
        self.ends = set(stop_tokens(processor, model))
        pad = self.tokenizer.pad_token_id
        self._pad = self.tokenizer.eos_token_id if pad is None else pad
        family = FAMILIES.get(model.config.model_type, Family())
        self._first, self._grid = family.first, family.grid
        self._penalty = float(model.generation_config.repetition_penalty or 1.0)
        known = inspect.signature(type(model).forward).parameters
        self._cache_name = "cache" if "cache" in known else "past_key_values"

    @property
    def vocabulary(self) -> int:
        """How many logits there are per token."""
        return self.model.config.get_text_config().vocab_size

    @torch.inference_mode()
    def answers(self, groups: Sequence[Group], stopped: Stopped) -> dict[int, list[int]]:
        """Return the tokens written for each row, the likeliest or as its draw says, by its number, the one that ended it included.

        Raises:
            StoppedError: `stopped` said so.
        """
        writing = self.begin(groups)
        written: dict[int, list[int]] = {row.number: [] for row in writing.rows}
        penalised = self._penalised(writing.rows, writing.logits.shape[-1])
        chances = {
            row.number: np.random.default_rng(row.stream) for row in writing.rows if row.draw
        }
        while True:
            tokens = self._next(writing.logits, penalised, writing.rows, chances)
            going = []
            for index, (row, token) in enumerate(zip(writing.rows, tokens, strict=True)):
                if self._wants(written[row.number], row):
                    written[row.number].append(token)
                    if self._wants(written[row.number], row):
                        going.append(index)
            if not going:
                return written
            if stopped():
                raise StoppedError("Stopped while answers were written.")
            if 2 * len(going) <= len(writing.rows):
                writing.keep(going)
                tokens = [tokens[index] for index in going]
                penalised = None if penalised is None else penalised[going]
            self.go_on(writing, tokens)

    @torch.inference_mode()
    def begin(self, groups: Sequence[Group]) -> Writing:
        """Read the prompts of rows whose answers are to be written."""
        rows = [row for group in groups for row in group]
        logits, context = self._read(groups, 1)
        return Writing(
            rows, logits[:, -1], context, np.array([_after(r, self._grid) for r in rows])
        )

    @torch.inference_mode()
    def go_on(self, writing: Writing, tokens: Sequence[int]) -> None:
        """Read the token that was chosen for each row."""
        writing.logits = self._step(tokens, writing.places, writing.context)[:, -1]
        writing.places = writing.places + 1

    @torch.inference_mode()
    def scores(self, groups: Sequence[Group]) -> dict[int, tuple[float, int]]:
        """Return the summed log-probability of each row's last `scored` tokens and their number, by
        the row's number.
        """
        rows = [row for group in groups for row in group]
        logits, _ = self._read(groups, max(row.tail for row in rows))
        found = {}
        for row, out in zip(rows, logits, strict=True):
            if not row.scored:
                found[row.number] = 0.0, 0
                continue
            out = out[-row.tail : -1].float().log_softmax(-1)
            ids = torch.as_tensor(row.ids[-row.scored :], device=out.device)
            found[row.number] = float(out.gather(-1, ids[:, None]).sum()), row.scored
        return found

    def _wants(self, written: Sequence[int], row: TokenRow) -> bool:
        return len(written) < row.room and not (written and written[-1] in self.ends)

    def _next(
        self,
        logits: torch.Tensor,
        penalised: torch.Tensor | None,
        rows: Sequence[TokenRow],
        chances: Mapping[int, np.random.Generator],
    ) -> list[int]:
        logits = logits.float()
        if penalised is not None:
            weaker = torch.where(logits < 0, logits * self._penalty, logits / self._penalty)
            logits = torch.where(penalised, weaker, logits)
        tokens = draw_tokens(
            logits, [row.draw for row in rows], [chances.get(row.number) for row in rows]
        )
        if penalised is not None:
            penalised.scatter_(1, tokens[:, None], True)
        return tokens.tolist()

    def _penalised(self, rows: Sequence[TokenRow], vocabulary: int) -> torch.Tensor | None:
        """Which tokens each row has had already, where the model punishes repetition."""
        if self._penalty == 1.0:
            return None
        had = torch.zeros(len(rows), vocabulary, dtype=torch.bool, device=self.model.device)
        for index, row in enumerate(rows):
            had[index, torch.as_tensor(row.ids, device=had.device)] = True
        return had

    def _read(self, groups: Sequence[Group], keep: int) -> tuple[torch.Tensor, Context]:
        """The logits of every row's last `keep` places, and what has been read."""
        context, starts = self._begun(groups)
        rows = [row for group in groups for row in group]
        spans = [row.span(start) for row, start in zip(rows, starts, strict=True)]
        context = context or self._fresh(len(rows))
        return self._forward(spans, context, keep), context

    def _begun(self, groups: Sequence[Group]) -> tuple[Context | None, list[int]]:
        """What rows share, read once and laid out for each row; how long it is for each."""
        shared = [_common(group) for group in groups]
        sizes = [len(group) for group in groups]
        starts = [n for n, size in zip(shared, sizes, strict=True) for _ in range(size)]
        spared = sum(n * (size - 1) for n, size in zip(shared, sizes, strict=True))
        if spared < WORTH:
            return None, [0] * len(starts)
        context = self._fresh(len(groups))
        first = [group[0].span(0, n) for group, n in zip(groups, shared, strict=True)]
        self._forward(first, context, 1)
        context.choose([index for index, size in enumerate(sizes) for _ in range(size)])
        return context, starts

    def _fresh(self, rows: int) -> Context:
        seen = torch.zeros(rows, 0, dtype=torch.long, device=self.model.device)
        return Context(empty_cache(), seen)

    def _step(self, tokens: Sequence[int], places: np.ndarray, context: Context) -> torch.Tensor:
        device = self.model.device
        ids = torch.tensor(tokens, device=device)[:, None]
        positions = torch.as_tensor(places + self._first, device=device)[:, None]
        if self._grid:
            positions = positions.expand(3, -1, -1)
        return self._run(ids, torch.ones_like(ids), positions, None, context, 1)

    def _forward(self, rows: Sequence[TokenRow], context: Context, keep: int) -> torch.Tensor:
        longest = max(len(row.ids) for row in rows)
        tokens = np.full((len(rows), longest), self._pad, dtype=np.int64)
        marks = np.zeros_like(tokens)
        places = np.zeros((3 if self._grid else 1, *tokens.shape), dtype=np.int64)
        for index, row in enumerate(rows):
            start = longest - len(row.ids)
            tokens[index, start:] = row.ids
            marks[index, start:] = 1
            places[:, index, start:] = np.asarray(row.positions)
        ids, seen, positions = (
            torch.from_numpy(array).to(self.model.device) for array in (tokens, marks, places)
        )
        positions = positions if self._grid else positions[0] + self._first
        parts = [row.features for row in rows if row.features is not None and len(row.features)]
        features = torch.cat(parts) if parts else None
        return self._run(ids, seen, positions, features, context, keep)

    def _run(
        self,
        ids: torch.Tensor,
        seen: torch.Tensor,
        positions: torch.Tensor,
        features: torch.Tensor | None,
        context: Context,
        keep: int,
    ) -> torch.Tensor:
        context.seen = torch.cat([context.seen, seen], dim=1)
        pictured = {}
        if features is not None:
            pictured = {"mm_encoder_outputs": {"image": as_outputs(self.model, features)}}
        output = self._call(
            input_ids=ids,
            attention_mask=context.seen,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=keep,
            **{self._cache_name: context.cache},
            **pictured,
        )
        return output.logits[:, -keep:]


def _common(group: Group) -> int:
    """How many tokens all rows of a group begin with alike, their tails left out."""
    if len(group) < 2:
        return 0
    most = min(len(row.ids) - row.tail for row in group)
    first = group[0]
    for row in group[1:]:
        apart = (row.ids[:most] != first.ids[:most]) | (row.slots[:most] != first.slots[:most])
        if apart.any():
            most = int(apart.argmax())
    return most


def _after(row: TokenRow, grid: bool) -> int:
    """The position that follows a row's last token."""
    if row.positions is None or not grid:
        return len(row.ids)
    return int(row.positions[:, -1].max()) + 1
