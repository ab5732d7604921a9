"""The distinct images of the rows: their sizes, and which of them look alike.

Two images look alike when their perceptual hashes (pHash, 16 × 16 coefficients) differ in at most
`HASH_BITS` of 256 bits and no pixel of their 24 × 24 miniatures differs by more than `GREYS` of
256 in brightness (ITU-R BT.601) or `COLOURS` in a colour, which JPEG keeps less well. The hash finds candidates; the miniature keeps apart what only has the same
layout, such as two bar charts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from studio.data.image_decoding import FORMATS
from studio.data.image_headers import decoding, upright_size
from studio.data.image_store import ImageStore

HASH_SIDE = 16
HASH_BITS = 10
MINIATURE = 24
GREYS = 16
COLOURS = 48
BRIGHTNESS = np.array([0.299, 0.587, 0.114])
BLOCK = 256


class Pictures:
    """Images by their sha256, numbered from 0 in the order they were first met."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._known: dict[str, int] = {}
        self.sizes: list[tuple[int, int]] = []
        self._hashes: list[np.ndarray] = []
        self._miniatures: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.sizes)

    def add(self, sha: str) -> int:
        """Return the number of an image.

        Raises:
            NotFoundError: It is not in the store.
            DataError: It cannot be read.
        """
        if sha not in self._known:
            size = upright_size(self._store.path(sha))
            with decoding(), Image.open(self._store.thumb_path(sha), formats=FORMATS) as image:
                thumb = image.convert("RGB")
            self._hashes.append(_perceptual_hash(thumb))
            small = thumb.resize((MINIATURE, MINIATURE), Image.Resampling.LANCZOS)
            self._miniatures.append(np.asarray(small, np.uint8))
            self.sizes.append(size)
            self._known[sha] = len(self.sizes) - 1
        return self._known[sha]

    def alike(self) -> dict[int, int]:
        """Map each image that looks like an earlier one to the first that it looks like.

        Likeness is passed on: images that look like a common third one share a first.
        """
        firsts = list(range(len(self)))

        def first(image: int) -> int:
            while firsts[image] != image:
                firsts[image] = firsts[firsts[image]]
                image = firsts[image]
            return image

        for one, other in self._pairs():
            low, high = sorted((first(one), first(other)))
            firsts[high] = low
        found = {image: first(image) for image in range(len(self))}
        return {image: earlier for image, earlier in found.items() if earlier != image}

    def _pairs(self) -> Iterator[tuple[int, int]]:
        if not self.sizes:
            return
        hashes = np.stack(self._hashes)
        miniatures = np.stack(self._miniatures)
        for start in range(0, len(hashes), BLOCK):
            block = hashes[start : start + BLOCK]
            near = np.bitwise_count(block[:, None, 0] ^ hashes[None, start:, 0]) <= HASH_BITS
            ones, others = np.nonzero(np.triu(near, 1))
            ones, others = ones + start, others + start
            differing = np.bitwise_count(hashes[ones] ^ hashes[others]).sum(1)
            close = differing <= HASH_BITS
            for one, other in zip(ones[close], others[close], strict=True):
                gap = miniatures[one].astype(np.int16) - miniatures[other]
                if np.abs(gap).max() <= COLOURS and np.abs(gap @ BRIGHTNESS).max() <= GREYS:
                    yield int(one), int(other)


def _perceptual_hash(image: Image.Image) -> np.ndarray:
    """256 bits as four unsigned integers of 64."""
    import imagehash

    bits = imagehash.phash(image, hash_size=HASH_SIDE).hash
    return np.packbits(bits.ravel()).view(np.uint64)
