"""Whether features on disk pay: how often each image is needed, and whether there is room."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from studio.training.fast_path.applicability import PathDecision

GIB = 2**30


@dataclass(frozen=True)
class ImageUse:
    """What a run would keep.

    Attributes:
        images: Distinct images.
        uses: How often one of them is looked at in the whole run, on average.
        bytes_each: Size of the features of one.
        present: How many are on disk already.
    """

    images: int
    uses: float
    bytes_each: int
    present: int = 0

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self.images * self.bytes_each


def decide(need: ImageUse, folder: Path, budget: int) -> PathDecision:
    """Return whether to cache, by epochs × images × free disk."""
    if not need.images:
        return PathDecision(False, "because there are no images")
    size = f"{need.images} images, {need.size / GIB:.2f} GiB"
    if need.uses <= 1 and not need.present:
        return PathDecision(False, "because each image is seen once")
    if need.size > budget:
        return PathDecision(False, f"because {size} are over the budget of {budget / GIB:.0f} GiB")
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if need.size > free / 2:
        return PathDecision(
            False, f"because {size} would take most of the {free / GIB:.1f} GiB free"
        )
    times = f"each needed {math.floor(need.uses * 10) / 10:g}×"
    found = f", {need.present} there already" if need.present else ""
    return PathDecision(True, f"({size}, {times}{found})")
