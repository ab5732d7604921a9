"""Features of images: each made once for as long as it is needed, kept on disk for the next time."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from studio.core.errors import DataError, StudioError, first_line
from studio.models.image_features.cache_key import features_fingerprint
from studio.models.image_features.feature_cache import FeatureCache, prune
from studio.models.image_features.image_encoder import AT_ONCE, encode
from studio.models.image_features.lazy_images import ImageRef
from studio.models.image_features.row_token_ids import ImageExpansion, Preprocessed, preprocess
from studio.models.image_tokens import UNUSABLE
from studio.models.load import Loaded
from studio.models.oom import MEMORY_ERRORS, ran_out

logger = logging.getLogger(__name__)

HELD_BYTES = 1 << 28
"""Bytes of features held in memory besides those in use."""


@dataclass
class ImageBank:
    """Features as one state of the vision tower makes them, of the images in use.

    Attributes:
        cache: Those on disk; None to keep none there.
        encoded: How many images went through the vision tower.
        failed: Why an image has none, by key.
    """

    loaded: Loaded
    cache: FeatureCache | None = None
    encoded: int = 0
    features: dict[str, torch.Tensor] = field(default_factory=dict)
    expansions: dict[str, ImageExpansion] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def hold(self, images: Iterable[ImageRef], check: Callable[[], None] = lambda: None) -> None:
        """Have the features of these images, and of earlier ones while they take little memory.

        Those that cannot be made are in `failed`.

        Args:
            check: Called before every few images; raises to stop.
        """
        wanted = {image.key: image for image in images}
        self._make_room(wanted)
        missing = []
        for key, image in wanted.items():
            if key not in self.features and key not in self.failed and not self._read(key):
                missing.append(image)
        for start in range(0, len(missing), AT_ONCE):
            check()
            self._make(missing[start : start + AT_ONCE])

    def _make_room(self, wanted: Collection[str]) -> None:
        """Drop features that are not wanted, the oldest first, until they take little memory."""
        size = sum(made.numel() * made.element_size() for made in self.features.values())
        for key in [key for key in self.features if key not in wanted]:
            if size <= HELD_BYTES:
                return
            dropped = self.features.pop(key)
            size -= dropped.numel() * dropped.element_size()

    def _read(self, key: str) -> bool:
        found = self.cache.get(key) if self.cache else None
        if self.cache is None or found is None:
            return False
        self.features[key] = found.to(self.loaded.device)
        self.expansions[key] = self.cache.expansions[key]
        return True

    def _make(self, images: Sequence[ImageRef]) -> None:
        made: dict[str, Preprocessed] = {}
        for image in images:
            try:
                made[image.key] = preprocess(self.loaded.processor, image)
            except StudioError as error:
                self.failed[image.key] = str(error)
            except UNUSABLE as error:
                if ran_out(error):
                    raise
                logger.warning("The processor refuses image %s.", image.key, exc_info=True)
                self.failed[image.key] = f"The model's processor refuses it: {first_line(error)}"
        self._encode(made)

    def _encode(self, made: dict[str, Preprocessed]) -> None:
        try:
            found = encode(self.loaded.model, list(made.values()))
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            logger.warning("Memory ran out for %s images at once.", len(made), exc_info=True)
            found = []
        if not found:
            self._encode_apart(made)
            return
        for (key, raw), features in zip(made.items(), found, strict=True):
            self.encoded += 1
            self.features[key] = features
            self.expansions[key] = raw.expansion
            if self.cache:
                self.cache.put(key, raw, features)

    def _encode_apart(self, made: dict[str, Preprocessed]) -> None:
        """One after the other, after memory ran out for all at once."""
        free_memory()
        for key, raw in made.items():
            if len(made) == 1:
                self.failed[key] = "Memory ran out for this image; use smaller images."
            else:
                self._encode({key: raw})

    def refuse(self, images: Sequence[ImageRef]) -> None:
        """Raise DataError with the reason when one of the images has no features."""
        reason = next((self.failed[i.key] for i in images if i.key in self.failed), "")
        if reason:
            raise DataError(reason)


def open_bank(loaded: Loaded, folder: Path | None, budget: int, adapter: str = "") -> ImageBank:
    """Return a bank, with the features that are on disk for this state of the model.

    Args:
        adapter: Digest of the adapter that is active and changes features; empty for none.
    """
    if folder is None:
        return ImageBank(loaded)
    name = features_fingerprint(loaded.model, loaded.processor, "no", loaded.device.type)
    if adapter:
        name = hashlib.sha256(f"{name} {adapter}".encode()).hexdigest()[:32]
    prune(folder, budget, keep=folder / name)
    return ImageBank(loaded, FeatureCache(folder / name, budget))


def free_memory() -> None:
    """Give what is not used back to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
