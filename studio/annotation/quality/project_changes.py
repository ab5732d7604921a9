"""A lead saves a project's form: settings and guidelines at once, and nothing over another lead's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select

from studio.annotation.database.tables import Dataset
from studio.annotation.database.team_tables import AuditEntry, Guideline
from studio.annotation.labeling import project_settings
from studio.annotation.labeling.answer_validation import ensure_storable
from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.labeling.projection import project_dataset
from studio.annotation.quality import audit_log
from studio.core.errors import ConflictError, InputError

LONGEST_GUIDELINES = 60_000
GUIDELINES = "guidelines"
VERSIONS = (
    select(Guideline.version, Guideline.text, Guideline.author, Guideline.created_at)
    .join(Dataset, Dataset.id == Guideline.dataset_id)
    .order_by(Guideline.version.desc())
    .limit(1)
)


@dataclass(frozen=True)
class GuidelineView:
    """One version of the guidelines; version 0 is their absence."""

    version: int = 0
    text: str = ""
    author: str = ""
    created_at: float = 0.0


@dataclass(frozen=True)
class ProjectForm:
    """What a lead changed in the form of a project, and what it showed before.

    Attributes:
        values: The settings that were changed.
        shown: What the form showed of them.
        text: The guidelines; None where they were left as they were.
        seen: The version of the guidelines that the form showed.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    seen: int = 0


@dataclass(frozen=True)
class Clash:
    """One field that another lead changed since the form was filled.

    Attributes:
        name: Of the setting, or `GUIDELINES`.
        who: Whose value stands; empty where nobody is known.
        stands: It, or the text of the guidelines.
    """

    name: str
    who: str
    stands: Any


class ProjectConflict(ConflictError):
    """Fields of a form were changed by somebody else meanwhile; nothing was saved."""

    def __init__(self, clashes: list[Clash], guidelines: GuidelineView) -> None:
        names = [clash.name.replace("_", " ") for clash in clashes]
        whose = " and ".join(sorted({clash.who or "somebody else" for clash in clashes}))
        verb = "was" if len(names) == 1 and names[0] != GUIDELINES else "were"
        said = f"{', '.join(names)} {verb} changed by {whose} meanwhile: nothing was saved."
        super().__init__(
            said[0].upper() + said[1:],
            remedy="What you typed is still here. Look at the difference, then save again to put "
            "yours in its place.",
        )
        self.clashes = clashes
        self.guidelines = guidelines


def save_form(
    connection: Connection, lead: str, dataset: str, form: ProjectForm, now: float
) -> tuple[ProjectSettings, int]:
    """Write what was changed; nothing answered is ever dropped.

    Returns:
        The settings, and the version of the guidelines that the form shows now.

    Raises:
        InputError: A value cannot be used; nothing was changed.
        ProjectConflict: Another lead changed the same since the form was filled.
    """
    ensure_guidelines_fit(form.text or "")
    project = project_settings.project(connection, dataset)
    changed = project_settings.checked(project.settings.model_dump() | dict(form.values))
    newest = newest_guidelines(connection, project.id)
    text = None if form.text == newest.text else form.text
    stands, wanted = project.settings.model_dump(), changed.model_dump()
    clashes = [
        Clash(name, _who_set(connection, dataset, name), stands[name])
        for name, shown in form.shown.items()
        if stands[name] not in (shown, wanted[name])
    ]
    if text is not None and newest.version != form.seen:
        clashes.append(Clash(GUIDELINES, newest.author, newest.text))
    if clashes:
        raise ProjectConflict(clashes, newest)
    # Both in the transaction that looked for clashes, so that a form is saved whole or not at all.
    write_settings(connection, lead, project, changed, now)
    if text is not None:
        return changed, add_guidelines(connection, lead, dataset, text, now).version
    return changed, newest.version if form.text == newest.text else form.seen


def write_settings(
    connection: Connection,
    lead: str,
    project: project_settings.Project,
    changed: ProjectSettings,
    now: float,
) -> None:
    """Write the settings of a project where they differ, with an entry in the log."""
    before, new = project.settings.model_dump(mode="json"), changed.model_dump(mode="json")
    details = {name: value for name, value in new.items() if value != before[name]}
    if not details:
        return
    project_settings.write(connection, project.id, changed)
    project_dataset(connection, project.id)
    audit_log.note(connection, lead, "settings", project.name, details, now)


def ensure_guidelines_fit(text: str) -> None:
    """Refuse guidelines that are too long, or that no database can hold. Raises InputError."""
    if len(text) > LONGEST_GUIDELINES:
        raise InputError(
            f"The guidelines have more than {LONGEST_GUIDELINES:,} characters.",
            remedy="Shorten them.",
            field="text",
        )
    ensure_storable(text, "text")


def add_guidelines(
    connection: Connection, lead: str, dataset: str, text: str, now: float
) -> GuidelineView:
    """Add a new version of the guidelines; the earlier ones are kept."""
    number = project_settings.project(connection, dataset).id
    query = select(func.max(Guideline.version)).where(Guideline.dataset_id == number)
    version = (connection.execute(query).scalar() or 0) + 1
    values = {"version": version, "text": text, "author": lead, "created_at": now}
    connection.execute(insert(Guideline).values(dataset_id=number, **values))
    audit_log.note(connection, lead, GUIDELINES, dataset, {"version": version}, now)
    return GuidelineView(version, text, lead, now)


def newest_guidelines(connection: Connection, number: int) -> GuidelineView:
    """Read the newest version of the guidelines of the dataset with this id."""
    row = connection.execute(VERSIONS.where(Dataset.id == number)).first()
    return GuidelineView(*row) if row else GuidelineView()


def _who_set(connection: Connection, dataset: str, name: str) -> str:
    """Who changed a setting last; empty when the log has nobody."""
    query = (
        select(AuditEntry.who, AuditEntry.details)
        .where(AuditEntry.action == "settings", AuditEntry.dataset == dataset)
        .order_by(AuditEntry.id.desc())
    )
    names = (row.who for row in connection.execute(query) if name in row.details)
    return next(names, "")
