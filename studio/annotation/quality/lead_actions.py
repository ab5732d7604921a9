"""What a lead does with a dataset: settings, guidelines, gold, decisions; each with an audit entry.

Each method is one transaction. Reached as `AnnotationStore.team`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select, update

from studio.annotation.database.connection import Database
from studio.annotation.database.tables import Annotator, CurrentLabel, Dataset, Label, Pair
from studio.annotation.database.team_tables import Gold, Guideline
from studio.annotation.labeling import assignment, project_settings
from studio.annotation.labeling.answer_validation import ensure_storable
from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.labeling.showings import Viewer, viewer
from studio.annotation.library import blinding
from studio.annotation.quality import (
    adjudication,
    annotator_figures,
    audit_log,
    decision_conflicts,
    gold_choice,
    project_changes,
)
from studio.annotation.quality.adjudication import Case, DecisionEvent
from studio.annotation.quality.annotator_figures import Quality
from studio.annotation.quality.project_changes import GuidelineView, ProjectForm
from studio.core.errors import NotFoundError


class Team:
    """The lead's side of a store."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def settings(self, dataset: str) -> ProjectSettings:
        """Read the settings of a dataset's project. Raises NotFoundError."""
        with self._database.read() as connection:
            return project_settings.project(connection, dataset).settings

    def change_settings(self, lead: str, dataset: str, values: dict) -> ProjectSettings:
        """Change what is given; nothing answered is ever dropped.

        Raises:
            InputError: A value cannot be used; nothing was changed.
        """
        with self._database.write() as connection:
            project = project_settings.project(connection, dataset)
            changed = project_settings.checked(project.settings.model_dump() | values)
            project_changes.write_settings(connection, lead, project, changed, self._clock())
            return changed

    def save_project(
        self, lead: str, dataset: str, form: ProjectForm
    ) -> tuple[ProjectSettings, int]:
        """Save a project's form, all of it or nothing; see `project_changes.save_form`."""
        with self._database.write() as connection:
            return project_changes.save_form(connection, lead, dataset, form, self._clock())

    def guidelines(self, dataset: str, version: int | None = None) -> GuidelineView:
        """Read the newest version of the guidelines, or one; an empty one when there is none."""
        query = project_changes.VERSIONS.where(Dataset.name == dataset)
        if version is not None:
            query = query.where(Guideline.version == version)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return GuidelineView(*row) if row else GuidelineView()

    def write_guidelines(self, lead: str, dataset: str, text: str, seen: int) -> GuidelineView:
        """Write a new version of the guidelines; the earlier ones are kept.

        Args:
            seen: The version the text was made from.

        Raises:
            ConflictError: Somebody wrote a newer one meanwhile.
        """
        project_changes.ensure_guidelines_fit(text)
        with self._database.write() as connection:
            number = project_settings.project(connection, dataset).id
            newest = project_changes.newest_guidelines(connection, number)
            if newest.version != seen:
                clash = project_changes.Clash("guidelines", newest.author, newest.text)
                raise project_changes.ProjectConflict([clash], newest)
            return project_changes.add_guidelines(connection, lead, dataset, text, self._clock())

    def set_gold(
        self,
        lead: str,
        pair_id: int,
        kind: str,
        winner_id: int | None,
        explanation: str = "",
        seen: int | None = None,
    ) -> None:
        """Make a pair gold, or change what its right answer is.

        Args:
            seen: The `gold_version` of the case it was made on; None replaces whatever there is.

        Raises:
            InputError, NotFoundError: The answer does not fit the pair.
            ConflictError: Somebody said what is right, or that it is an ordinary pair, since then.
        """
        with self._database.write() as connection:
            decision_conflicts.ensure_gold_seen(connection, pair_id, lead, seen)
            answer = (kind, winner_id)
            gold_choice.set_gold(connection, lead, pair_id, answer, explanation, self._clock())

    def unset_gold(self, lead: str, pair_id: int, seen: int | None = None) -> None:
        """Make a gold pair an ordinary one; what was answered stays. See `set_gold`."""
        with self._database.write() as connection:
            decision_conflicts.ensure_gold_seen(connection, pair_id, lead, seen)
            gold_choice.unset_gold(connection, lead, pair_id, self._clock())

    def toggle_gold(self, lead: str, handle: int, seen: int = 0) -> bool:
        """Make an answer of `lead` the known right one; see `gold_choice.toggle_gold`."""
        with self._database.write() as connection:
            return gold_choice.toggle_gold(connection, lead, handle, seen, self._clock())

    def gold_pairs(self, dataset: str) -> int:
        """Count the gold pairs of a dataset."""
        query = (
            select(func.count())
            .select_from(Gold)
            .join(Dataset, Dataset.id == Gold.dataset_id)
            .where(Dataset.name == dataset, Gold.active.is_(True))
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def clear(self, lead: str, annotator: str, cleared: bool = True) -> None:
        """Let somebody label whatever their qualification round says. Raises NotFoundError."""
        ensure_storable(annotator, "annotator")
        with self._database.write() as connection:
            change = update(Annotator).where(Annotator.name == annotator).values(cleared=cleared)
            if not connection.execute(change).rowcount:
                raise NotFoundError(
                    f"Nobody called {annotator!r} has labelled yet.", remedy="Check the name."
                )
            action = "cleared" if cleared else "no longer cleared"
            audit_log.note(connection, lead, action, "", {"annotator": annotator}, self._clock())

    def standing(self, annotator: str, dataset: str | None) -> dict[str, str]:
        """Say by dataset why somebody gets no ordinary pairs: `qualifying` or `failed`."""
        with self._database.read() as connection:
            return assignment.standing(connection, annotator, dataset)

    def standings(self, dataset: str) -> dict[str, str]:
        """Say how everybody who has answered stands in the qualification round of a dataset.

        By name `qualifying`, `failed`, `let on` (by a lead), `passed`, or `not tested` where no
        gold pair counts for somebody (they said what is right, or had answered before); empty
        without a round.
        """
        with self._database.read() as connection:
            one = project_settings.project(connection, dataset)
            if not one.settings.qualification or not one.has_gold:
                return {}
            return assignment.standings(connection, one)

    def queue_sizes(self, dataset: str | None = None) -> dict[str, int]:
        """Count the pairs that wait for a decision, by reason."""
        with self._database.read() as connection:
            return adjudication.queue_sizes(connection, dataset)

    def next_case(self, lead: str, dataset: str | None = None, after: int = 0) -> Case | None:
        """Find the next pair to decide above pair `after`; None when there is none."""
        with self._database.read() as connection:
            return adjudication.next_case(connection, lead, dataset, after)

    def case(self, pair_id: int, lead: str) -> Case:
        """Read one pair with all its votes, as a lead decides it. Raises NotFoundError."""
        with self._database.read() as connection:
            return adjudication.case(connection, pair_id, lead)

    def candidate_on(self, lead: str, pair_id: int, side: str | None, token: str) -> int | None:
        """Find the candidate on a side of a case as `lead` was shown it; see `adjudication`."""
        with self._database.read() as connection:
            return adjudication.candidate_on(connection, lead, pair_id, side, token)

    def decide(self, event: DecisionEvent) -> None:
        """Save a lead's decision on a pair; it stands above all votes."""
        with self._database.write() as connection:
            adjudication.decide(connection, event, self._clock())

    def quality(self, dataset: str, resamples: int = 1000) -> Quality:
        """Compute all figures of a dataset. Raises NotFoundError."""
        with self._database.read() as connection:
            project = project_settings.project(connection, dataset)
            answers = annotator_figures.gather(connection, project.id)
        return annotator_figures.measure(answers, self._clock(), resamples)

    def answered(self, dataset: str) -> tuple[float, float] | None:
        """Find when the first and the last answer that stands was given; None without any."""
        query = (
            select(func.min(Label.created_at), func.max(Label.created_at))
            .join(CurrentLabel, CurrentLabel.label_id == Label.id)
            .join(Pair, Pair.id == Label.pair_id)
            .join(Dataset, Dataset.id == Pair.dataset_id)
            .where(Dataset.name == dataset)
        )
        with self._database.read() as connection:
            first, last = connection.execute(query).one()
        return None if first is None else (first, last)

    def log(self, who: str = "", dataset: str = "", limit: int = 200) -> list[audit_log.LogLine]:
        """List what was done, newest first; see `annotation.quality.audit_log.log`."""
        ensure_storable(who, "who")
        with self._database.read() as connection:
            return audit_log.log(connection, who, dataset, limit)

    def revealed(self, who: str) -> frozenset[str]:
        """List the datasets of which `who` sees what the source preferred before judging."""
        with self._database.read() as connection:
            return blinding.revealed(connection, who)

    def viewer(self, who: str) -> Viewer:
        """Make the viewer with the handles and the order of answers that `who` sees."""
        with self._database.read() as connection:
            return viewer(connection, who)

    def note(self, who: str, action: str, dataset: str, details: dict) -> None:
        """Put something done outside the database (an export, say) into the log."""
        with self._database.write() as connection:
            audit_log.note(connection, who, action, dataset, details, self._clock())
