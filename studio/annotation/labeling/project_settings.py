"""How a dataset is labelled: the project's settings, checked, and changed by the lead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import Connection, select, update

from studio.annotation.database.tables import Dataset
from studio.annotation.database.team_tables import Gold
from studio.core.errors import InputError, NotFoundError
from studio.core.value_problems import sentence
from studio.data.conversation import flaw

Share = Annotated[float, Field(ge=0, le=1)]


class ProjectSettings(BaseModel):
    """What a lead can choose for one dataset; every field has a default that works."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap: int = Field(1, ge=1, le=50, description="People who answer each pair.")
    skip_limit: int = Field(
        3, ge=1, le=50, description="Skips and “can't tell” that send a pair to you."
    )
    repeat_share: Share = Field(0.05, description="Share of pairs shown again, swapped.")
    gold_share: Share = Field(0.1, description="Share of the answers that are to gold pairs.")
    gold_feedback: bool = Field(False, description="Say after a gold pair whether it was right.")
    qualification: int = Field(0, ge=0, le=100, description="Gold pairs to answer first; 0: none.")
    qualification_pass: Share = Field(0.8, description="Share of them that must be right.")
    aspects: tuple[str, ...] = Field((), max_length=6, description="Judged besides the choice.")
    markdown: bool = Field(False, description="Show answers as formatted text.")
    show_authors: bool = Field(
        False, description="Say who wrote what after the answer; then nothing is shown again."
    )

    random_share: Share = Field(
        0.2, description="Share of an ordered queue that is drawn by lot, to measure on."
    )
    first_tags: tuple[str, ...] = Field(
        (), max_length=6, description="Rows with one of these tags come first in an ordered queue."
    )
    reorder_after: int = Field(
        0, ge=0, le=100_000, description="Order the queue again after so many answers; 0: never."
    )

    @field_validator("first_tags")
    @classmethod
    def _tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))

    @field_validator("aspects")
    @classmethod
    def _short_and_different(cls, aspects: tuple[str, ...]) -> tuple[str, ...]:
        cleaned = tuple(aspect.strip() for aspect in aspects if aspect.strip())
        if any(len(aspect) > 40 for aspect in cleaned):
            raise ValueError("an aspect has at most 40 characters")
        if any(flaw(aspect) for aspect in cleaned):
            raise ValueError("an aspect has a character that no text may have")
        if len(set(cleaned)) < len(cleaned):
            raise ValueError("every aspect needs a name of its own")
        return cleaned


@dataclass(frozen=True)
class Project:
    """A dataset and how it is labelled."""

    id: int
    name: str
    settings: ProjectSettings
    has_gold: bool = False


PROJECTS = select(
    Dataset.id,
    Dataset.name,
    Dataset.overlap,
    Dataset.settings,
    select(Gold.pair_id)
    .where(Gold.active.is_(True), Gold.dataset_id == Dataset.id)
    .exists()
    .label("has_gold"),
)


def checked(values: dict) -> ProjectSettings:
    """Check the settings that a form gives.

    Raises:
        InputError: One of them cannot be used; `field` names it.
    """
    try:
        return ProjectSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        raise InputError(
            sentence(field.replace("_", " ").capitalize(), first),
            remedy="Nothing was changed; correct it and save again.",
            field=field,
        ) from None


def projects(connection: Connection) -> dict[int, Project]:
    """Read every project by the id of its dataset."""
    return {
        row.id: Project(row.id, row.name, stored(row.overlap, row.settings), bool(row.has_gold))
        for row in connection.execute(PROJECTS)
    }


def project(connection: Connection, dataset: str) -> Project:
    """Read the project of a dataset.

    Raises:
        NotFoundError: There is no such dataset.
    """
    row = connection.execute(PROJECTS.where(Dataset.name == dataset)).first()
    if row is None:
        raise NotFoundError(
            f"There is no dataset {dataset!r}.", remedy="Import it first.", field="dataset"
        )
    return Project(row.id, row.name, stored(row.overlap, row.settings), bool(row.has_gold))


def write(connection: Connection, dataset_id: int, settings: ProjectSettings) -> None:
    """Write the settings; the pairs' states must be brought up to date after it."""
    values = settings.model_dump(mode="json", exclude={"overlap"})
    change = update(Dataset).where(Dataset.id == dataset_id)
    connection.execute(change.values(overlap=settings.overlap, settings=values))


def stored(overlap: int, values: dict | None) -> ProjectSettings:
    """Read settings from a row of `datasets`; keys of another version are left out."""
    return _stored(max(1, overlap), json.dumps(values or {}, sort_keys=True))


@lru_cache(maxsize=256)
def _stored(overlap: int, values: str) -> ProjectSettings:
    known = {
        name: value
        for name, value in json.loads(values).items()
        if name in ProjectSettings.model_fields
    }
    return ProjectSettings(**known | {"overlap": overlap})
