"""Arithmetic and bytes of one preference pair: TRL's trainer and the fast path, on paper.

    python benchmarks/training_cost.py [--text 57] [--answer 30] [--json]

A multiply-add counts as two operations. V is one image through vision tower and projector, L one
prompt with one answer through the language model, S the prompt once with both answers, H the head
at one position. With LoRA on the language model a backward pass costs one forward (gradients of
inputs only), and gradient checkpointing another. Prints the tables of docs/fast-path.md.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

TERA, MIB = 1e12, 2**20


@dataclass(frozen=True)
class Tower:
    """A stack of transformer layers.

    Attributes:
        gated: Whether the feed-forward part has three matrices instead of two.
        window: Tokens that a token sees in most layers; None when all see all.
        full: Layers without the window.
    """

    hidden: int
    layers: int
    heads: int
    groups: int
    inner: int
    gated: bool = True
    window: int | None = None
    full: int = 0

    def flops(self, tokens: int, *, causal: bool = False) -> float:
        """Operations of one forward pass over `tokens` that see each other."""
        head = self.hidden // self.heads
        linear = 2 * self.hidden * head * (self.heads + self.groups)
        linear += (3 if self.gated else 2) * self.hidden * self.inner
        full = self.layers if self.window is None else self.full
        seen = full * tokens * (0.5 if causal else 1.0)
        seen += (self.layers - full) * min(tokens, self.window or tokens)
        return 2 * tokens * (self.layers * linear + seen * 2 * self.hidden)


@dataclass(frozen=True)
class Shape:
    """A model with one image of some size.

    Attributes:
        patches: Patches of a tile. tiles: Tiles of the image. merged: Patches in an image token.
        size: Bytes of a number.
    """

    name: str
    vision: Tower
    language: Tower
    vocabulary: int
    patches: int
    tiles: int
    merged: int
    size: int

    @property
    def image_tokens(self) -> int:
        return self.patches * self.tiles // self.merged

    @property
    def encoding(self) -> float:
        """V."""
        projector = self.image_tokens * self.merged * self.vision.hidden * self.language.hidden
        return self.tiles * self.vision.flops(self.patches) + 2 * projector


SMOL = Tower(768, 12, 12, 12, 3072, gated=False)
SMALL, MEDIUM = Tower(576, 30, 9, 3, 1536), Tower(960, 32, 15, 5, 2560)
SHAPES = (
    Shape("SmolVLM-256M, 5 tiles", SMOL, SMALL, 49280, 1024, 5, 16, 4),
    Shape("SmolVLM-256M, 17 tiles", SMOL, SMALL, 49280, 1024, 17, 16, 4),
    Shape("SmolVLM-500M, 5 tiles", SMOL, MEDIUM, 49280, 1024, 5, 16, 4),
    Shape("SmolVLM-500M, 17 tiles", SMOL, MEDIUM, 49280, 1024, 17, 16, 4),
    Shape(
        "SmolVLM-2.2B, 13 tiles",
        Tower(1152, 27, 16, 16, 4304, gated=False),
        Tower(2048, 24, 32, 32, 8192),
        49280,
        729,
        13,
        9,
        2,
    ),
    Shape(
        "Qwen2.5-VL-7B, 784 × 1008 pixels",
        Tower(1280, 32, 16, 16, 3420, window=64, full=4),
        Tower(3584, 28, 28, 4, 18944),
        152064,
        56 * 72,
        1,
        4,
        2,
    ),
)


@dataclass(frozen=True)
class Cost:
    """One preference pair; operations, and bytes held or read."""

    shape: str
    image: float
    alone: float
    shared: float
    stock: float
    apart: float
    first: float
    later: float
    stock_kept_bytes: int
    fast_kept_bytes: int
    stock_pixel_bytes: int
    feature_bytes: int

    def floor(self, epochs: int, stock: float | None = None) -> float:
        """Stock ÷ ours over `epochs`, if every operation took the same time."""
        return epochs * (stock or self.stock) / (self.first + (epochs - 1) * self.later)


def cost(shape: Shape, text: int, answer: int) -> Cost:
    """The cost of a pair with one image, `text` prompt tokens beside it and two answers."""
    language, image = shape.language, shape.encoding
    prompt = shape.image_tokens + text
    alone = language.flops(prompt + answer, causal=True)
    shared = language.flops(prompt + 2 * answer)
    head = 2.0 * language.hidden * shape.vocabulary
    everywhere, scored = 2 * (prompt + answer) * head, 2 * answer * head
    kept = shape.vision.layers * shape.patches * shape.tiles * shape.vision.hidden
    rows = language.layers * language.hidden * shape.size
    return Cost(
        shape=shape.name,
        image=image,
        alone=alone,
        shared=shared,
        stock=8 * image + 8 * alone + 3 * everywhere,
        apart=4 * image + 8 * alone + 3 * everywhere,
        first=image + 4 * shared + 3 * scored,
        later=3 * shared + 2 * scored,
        stock_kept_bytes=2 * (kept * shape.size + rows * (prompt + answer)),
        fast_kept_bytes=rows * (prompt + 2 * answer),
        stock_pixel_bytes=2 * 3 * shape.patches * shape.tiles * _pixels(shape) * shape.size,
        feature_bytes=shape.image_tokens * language.hidden * shape.size,
    )


def _pixels(shape: Shape) -> int:
    return 16**2 if shape.vision is SMOL else 14**2


def tables(costs: list[Cost]) -> str:
    """Two tables in Markdown: operations, and bytes."""
    lines = [
        "| shape | V | L | S | stock | vision apart | first epoch | later | floor, epoch 1 "
        "| floor, 3 epochs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in costs:
        numbers = (one.image, one.alone, one.shared, one.stock, one.apart, one.first, one.later)
        cells = " | ".join(f"{number / TERA:.3g}" for number in numbers)
        lines.append(f"| {one.shape} | {cells} | {one.floor(1):.1f}× | {one.floor(3):.1f}× |")
    lines += [
        "",
        "| shape | pixels, stock | features, ours | kept for backward, stock | ours |",
        "|---|---|---|---|---|",
    ]
    for one in costs:
        sizes = (
            one.stock_pixel_bytes,
            one.feature_bytes,
            one.stock_kept_bytes,
            one.fast_kept_bytes,
        )
        cells = " | ".join(f"{size / MIB:.3g} MiB" for size in sizes)
        lines.append(f"| {one.shape} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=int, default=57, help="prompt tokens beside the image")
    parser.add_argument("--answer", type=int, default=30, help="tokens of an answer")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    costs = [cost(shape, arguments.text, arguments.answer) for shape in SHAPES]
    if arguments.json:
        floors = [
            {"floor_first_epoch": c.floor(1), "floor_three_epochs": c.floor(3)} for c in costs
        ]
        print(json.dumps([asdict(c) | f for c, f in zip(costs, floors, strict=True)]))
    else:
        print(tables(costs))


if __name__ == "__main__":
    main()
