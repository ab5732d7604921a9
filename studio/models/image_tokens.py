"""How many tokens an image of a given size becomes, and how many tiles.

The largest and smallest sizes, a spread of aspect ratios and the commonest sizes go through the
processor itself. The others, and rows of more than `MOST_PIXELS`, which would take gigabytes,
follow the processor's own formula (`_get_num_multimodal_tokens`) when that agreed on all of
these; otherwise every size goes through the processor.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image
from transformers import ProcessorMixin

from studio.core.errors import ModelError, first_line
from studio.models.compat import transformers_internals

MEASURED = 12
SPREAD = 8
MOST_PIXELS = 16_000_000
Size = tuple[int, int]
Kind = tuple[int, Size]
"""Number of images of the row, and width and height of this one: some processors look at both."""
logger = logging.getLogger(__name__)
UNUSABLE = (ValueError, TypeError, KeyError, IndexError, RuntimeError, OSError)


@dataclass(frozen=True)
class Expansion:
    """What one image becomes.

    Attributes:
        tokens: In place of its placeholder, marks between tiles included.
        tiles: None when the processor has no such notion that could be checked.
        seen: Width and height in pixels of what the model gets; None when only computed.
    """

    tokens: int
    tiles: int | None = None
    seen: Size | None = None


class Expansions:
    """Expansions of all kinds of images, each found out once."""

    def __init__(self, processor: ProcessorMixin) -> None:
        self._processor = processor
        self.measured = 0

    def of(self, uses: Counter[Kind]) -> Iterator[tuple[Kind, Expansion]]:
        """Yield the expansion of every kind, one after the other.

        Args:
            uses: How often each kind occurs.

        Raises:
            ModelError: The processor refuses an image of such a size.
        """
        order = _most_telling_first(uses)
        measured: dict[Kind, Expansion] = {}
        usual = [kind for kind in order if kind[0] * _area(kind) <= MOST_PIXELS]
        for kind in (usual or order)[:MEASURED]:
            measured[kind] = self.measure(kind)
            yield kind, measured[kind]
        expansion_of = self._formula(measured) or self.measure
        for kind in order:
            if kind not in measured:
                yield kind, expansion_of(kind)

    def measure(self, kind: Kind) -> Expansion:
        """Put blank images of this kind through the processor."""
        count, size = kind
        self.measured += 1
        blank = [Image.new("RGB", size, "white")] * count
        text = self._template(count)
        try:
            encoded = self._processor(
                images=blank, text=[text], add_special_tokens=False, return_tensors="pt"
            )
        except UNUSABLE as error:
            raise ModelError(
                f"The model's processor refuses an image of {size[0]} × {size[1]} pixels: "
                f"{first_line(error)}",
                remedy="Leave such images out, or choose another model.",
                field="model.id",
            ) from error
        plain = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        added = len(encoded["input_ids"][0]) - len(plain)
        tiles, tile = tiles_of(encoded, count)
        return Expansion(added // count + 1, tiles, self._seen(size, tiles, tile))

    def _seen(self, size: Size, tiles: int | None, tile: Size | None) -> Size | None:
        if tile is None or tiles == 1:
            return tile
        if tiles is None:
            return None
        layout = tile_layout(self._processor, size, tiles)
        return (layout[0] * tile[0], layout[1] * tile[1]) if layout else None

    def _template(self, images: int) -> str:
        content: list[dict[str, str]] = [{"type": "image"}] * images
        content.append({"type": "text", "text": "?"})
        messages = [{"role": "user", "content": content}]
        return self._processor.apply_chat_template(messages, tokenize=False)

    def _formula(self, measured: dict[Kind, Expansion]) -> Callable[[Kind], Expansion] | None:
        """The processor's own formula, when it agrees with what was measured."""
        if not hasattr(self._processor, "_get_num_multimodal_tokens") or not measured:
            return None
        try:
            computed = {kind: self._computed(kind) for kind in measured}
        except UNUSABLE:
            logger.info("Images are measured: the processor cannot count.", exc_info=True)
            return None
        if any(computed[kind][0] != found.tokens for kind, found in measured.items()):
            return None
        tiles = [found.tiles for found in measured.values()]
        split = [max(1, computed[kind][1]) for kind in measured] == tiles
        whole = set(tiles) == {1}

        def formula(kind: Kind) -> Expansion:
            tokens, patches = self._computed(kind)
            return Expansion(tokens, max(1, patches) if split else 1 if whole else None)

        return formula

    def _computed(self, kind: Kind) -> tuple[int, int]:
        width, height = kind[1]
        return transformers_internals.image_tokens(self._processor, height, width)


def tiles_of(encoded: Any, images: int) -> tuple[int | None, Size | None]:
    """Return the tiles of one of `images` equal images, and width and height of a tile in pixels.

    Reads the shapes that transformers' processors give: `(rows, tiles, 3, height, width)`,
    `(tiles, 3, height, width)`, or flat patches beside `image_grid_thw`.
    """
    pixels = encoded.get("pixel_values")
    grid = encoded.get("image_grid_thw")
    if grid is not None:
        _, rows, columns = (int(number) for number in grid[0])
        side = patch_side(pixels)
        return 1, (columns * side, rows * side) if side else None
    if getattr(pixels, "ndim", 0) not in (4, 5):
        return None, None
    height, width = (int(number) for number in pixels.shape[-2:])
    tiles = int(pixels.shape[-4]) * (int(pixels.shape[0]) if pixels.ndim == 5 else 1)
    return (tiles // images, (width, height)) if tiles % images == 0 else (None, None)


def tile_layout(processor: ProcessorMixin, size: Size, tiles: int) -> tuple[int, int] | None:
    """Return columns and rows of the tiles that are cut from an image before its overview tile.

    None when the processor does not tell, or tells something that does not make `tiles`.
    """
    tell = getattr(processor.image_processor, "get_number_of_image_patches", None)
    if tell is None:
        return None
    try:
        told = tell(size[1], size[0], {})
    except UNUSABLE:
        return None
    if not isinstance(told, tuple) or len(told) != 3:
        return None
    _, rows, columns = (int(number) for number in told)
    return (columns, rows) if rows * columns + 1 == tiles and rows else None


def patch_side(pixels: Any) -> int:
    """Return the pixels along a flat patch of 3 colours in 2 frames, or in 1; 0 when it is neither."""
    for frames in (2, 1):
        side = round((pixels.shape[-1] / (3 * frames)) ** 0.5)
        if 3 * frames * side * side == pixels.shape[-1]:
            return side
    return 0


def _most_telling_first(uses: Counter[Kind]) -> list[Kind]:
    """The largest and smallest image and a spread of aspect ratios, then by how often they occur.

    Formulas go wrong, if at all, at unusual aspect ratios.
    """
    if not uses:
        return []
    by_aspect = sorted(uses, key=lambda kind: (kind[1][0] / kind[1][1], kind))
    spread = by_aspect[:: max(1, (len(by_aspect) - 1) // SPREAD)]
    first = [max(uses, key=_area), min(uses, key=_area), uses.most_common(1)[0][0], *spread]
    return list(dict.fromkeys([*first, *(kind for kind, _ in uses.most_common())]))


def _area(kind: Kind) -> int:
    return kind[1][0] * kind[1][1]
