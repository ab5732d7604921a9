"""How a base model is called in what is released: by hub id and revision, never by a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from studio.config.model import ModelConfig
from studio.core.paths import EMBEDDED
from studio.models.base_identity import plain_name
from studio.runs.hub_push import is_hub_id

_SNAPSHOT = re.compile(r"snapshots[/\\]([0-9a-f]{40})(?:[/\\]|$)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ReleasedBase:
    """A base model as others can find it.

    Attributes:
        name: Hub id, or `embedded` for the small model that comes along; empty for a folder of
            this machine, which others do not have.
        revision: Commit on the hub; empty where it is not known.
    """

    name: str
    revision: str = ""

    @property
    def hub_id(self) -> str:
        """Its repository; empty where it has none."""
        return "" if self.name == EMBEDDED else self.name

    @property
    def sentence(self) -> str:
        """What to tell a reader."""
        if self.name == EMBEDDED:
            return (
                "The base is `embedded`, the small chart model that comes with VLM Studio "
                "(`assets/tiny-vlm`); it is not on the hub."
            )
        if not self.name:
            return "The base is a model folder of whoever trained this; it is not named here."
        at = f" at revision `{self.revision}`" if self.revision else ""
        return f"The base is [{self.name}](https://huggingface.co/{self.name}){at}."


def released_base(model: ModelConfig) -> ReleasedBase:
    """Return how a base model is called for others; nothing is asked over the network."""
    name = plain_name(model.id)
    if name == EMBEDDED:
        return ReleasedBase(EMBEDDED)
    if not is_hub_id(name):
        return ReleasedBase("")
    return ReleasedBase(name, _commit(model, name))


def _commit(model: ModelConfig, name: str) -> str:
    """The commit that was used: the one asked for, or the one that lies in the cache."""
    if model.revision and _COMMIT.fullmatch(model.revision):
        return model.revision
    place: object = model.id
    if not Path(model.id).is_dir():
        place = try_to_load_from_cache(name, "config.json", revision=model.revision)
    found = _SNAPSHOT.search(str(place))
    return found[1] if found else model.revision or ""
