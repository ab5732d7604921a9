"""How a dataset's source is read: said once, kept with the dataset, used by the next import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, select

from studio.annotation.database.tables import Dataset

Origin = Literal["", "given", "saved", "unfit"]


@dataclass(frozen=True)
class SavedReading:
    """What is kept with a dataset.

    Attributes:
        columns: Role → column or path.
        images: Where the images lie, if elsewhere than beside the data.
    """

    columns: dict[str, str] = field(default_factory=dict)
    images: str = ""

    def __bool__(self) -> bool:
        return bool(self.columns or self.images)


@dataclass(frozen=True)
class Reading:
    """How one import reads its source.

    Attributes:
        origin: Where `columns` come from; `unfit`: those kept do not fit this source.
        keep: What to keep with the dataset from now on; None: what is kept stays.
    """

    columns: Mapping[str, str] | None = None
    images: Path | None = None
    origin: Origin = ""
    saved: SavedReading = SavedReading()
    keep: dict[str, Any] | None = None


def saved_reading(connection: Connection, dataset: str) -> SavedReading:
    """Read what is kept with a dataset; nothing for one that is not there."""
    query = select(Dataset.reading).where(Dataset.name == dataset)
    values = connection.execute(query).scalar() or {}
    columns = values.get("columns")
    return SavedReading(
        {str(role): str(name) for role, name in columns.items()}
        if isinstance(columns, dict)
        else {},
        str(values.get("images") or ""),
    )


def choose_reading(
    saved: SavedReading, columns: Mapping[str, str] | None, images: Path | None, use_saved: bool
) -> Reading:
    """Lay what is asked for over what is kept; each of the two by itself.

    Args:
        columns: None: as kept; an empty mapping: as the studio recognises them, and nothing is
            kept any more.
        use_saved: False: what is kept is forgotten.
    """
    before = saved if use_saved else SavedReading()
    place = images or (Path(before.images) if before.images else None)
    origin: Origin = "given" if columns else ""
    if columns is None and before.columns:
        columns, origin = before.columns, "saved"
    now = SavedReading(dict(columns or {}), str(place.absolute()) if place else "")
    keep = None if now == saved else {"columns": now.columns, "images": now.images} if now else {}
    return Reading(columns, place, origin, before, keep)
