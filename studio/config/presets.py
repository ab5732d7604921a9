"""Recipes that come along: partial run files in assets/presets, each naming its source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.config import run_file
from studio.config.run import RunConfig
from studio.core.errors import NotFoundError
from studio.core.paths import PRESETS


@dataclass(frozen=True)
class Preset:
    """One recipe; `about` is its first comment line."""

    name: str
    about: str
    path: Path

    def config(self) -> RunConfig:
        """Load the recipe over the defaults."""
        return run_file.load(self.path)


def list_presets(folder: Path = PRESETS) -> list[Preset]:
    """List all recipes, those for the embedded model first."""
    presets = []
    for path in sorted(folder.glob("*.yaml")):
        with path.open(encoding="utf-8") as handle:
            presets.append(Preset(path.stem, handle.readline().lstrip("# ").strip(), path))
    return sorted(presets, key=lambda preset: not preset.name.startswith("embedded"))


def get_preset(name: str, folder: Path = PRESETS) -> Preset:
    """Find the recipe called `name`.

    Raises:
        NotFoundError: There is none of that name.
    """
    for preset in list_presets(folder):
        if preset.name == name:
            return preset
    known = ", ".join(preset.name for preset in list_presets(folder))
    raise NotFoundError(f"There is no preset {name!r}.", remedy=f"Known: {known}.")


def load(name: str) -> RunConfig:
    """Load the run file of the recipe called `name`."""
    return get_preset(name).config()
