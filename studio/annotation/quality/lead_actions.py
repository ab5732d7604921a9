"""What a lead does with a dataset: settings, guidelines, gold, decisions; each with an audit entry.

Each method is one transaction. Reached as `AnnotationStore.team`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from studio.annotation.database.connection import Database
from studio.annotation.database.tables import Annotator, CurrentLabel, Dataset, Label, Pair
from studio.annotation.database.team_tables import Gold, Guideline
from studio.annotation.labeling import answer_permission, assignment, pair_card, project_settings
from studio.annotation.labeling.answer_validation import ensure_text_fits
from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.labeling.projection import project_dataset, project_pairs
from studio.annotation.labeling.showings import Viewer, viewer
from studio.annotation.library import blinding
from studio.annotation.quality import adjudication, annotator_figures, audit_log
from studio.annotation.quality import gold as checks
from studio.annotation.quality.adjudication import Case, DecisionEvent
from studio.annotation.quality.annotator_figures import Quality
from studio.annotation.records import VOTES
from studio.core.errors import ConflictError, InputError, NotFoundError

LONGEST_GUIDELINES = 60_000


@dataclass(frozen=True)
class GuidelineView:
    """One version of the guidelines; version 0 is their absence."""

    version: int = 0
    text: str = ""
    author: str = ""
    created_at: float = 0.0


class Team:
    """The lead's side of a store."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def settings(self, dataset: str) -> ProjectSettings:
        """Raises NotFoundError when there is no such dataset."""
        with self._database.read() as connection:
            return project_settings.project(connection, dataset).settings

    def change_settings(self, lead: str, dataset: str, values: dict) -> ProjectSettings:
        """Change what is given; nothing answered is ever dropped.

        Raises:
            InputError: A value cannot be used; nothing was changed.
        """
        with self._database.write() as connection:
            found = project_settings.project(connection, dataset)
            changed = project_settings.checked(found.settings.model_dump() | values)
            new = changed.model_dump(mode="json")
            before = found.settings.model_dump(mode="json")
            details = {name: value for name, value in new.items() if value != before[name]}
            if details:
                project_settings.write(connection, found.id, changed)
                project_dataset(connection, found.id)
                audit_log.note(connection, lead, "settings", dataset, details, self._clock())
            return changed

    def guidelines(self, dataset: str, version: int | None = None) -> GuidelineView:
        """The newest version, or one; an empty one when there is none."""
        query = (
            select(Guideline.version, Guideline.text, Guideline.author, Guideline.created_at)
            .join(Dataset, Dataset.id == Guideline.dataset_id)
            .where(Dataset.name == dataset)
            .order_by(Guideline.version.desc())
            .limit(1)
        )
        if version is not None:
            query = query.where(Guideline.version == version)
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return GuidelineView(*row) if row else GuidelineView()

    def write_guidelines(self, lead: str, dataset: str, text: str, seen: int) -> GuidelineView:
        """A new version; the earlier ones are kept.

        Args:
            seen: The version the text was made from.

        Raises:
            ConflictError: Somebody wrote a newer one meanwhile.
        """
        if len(text) > LONGEST_GUIDELINES or "\0" in text:
            raise InputError(
                f"The guidelines hold a NUL, or more than {LONGEST_GUIDELINES:,} characters.",
                remedy="Shorten them, or take it out.",
                field="text",
            )
        with self._database.write() as connection:
            number = project_settings.project(connection, dataset).id
            query = select(func.max(Guideline.version)).where(Guideline.dataset_id == number)
            last = connection.execute(query).scalar() or 0
            if last != seen:
                raise ConflictError(
                    f"Version {last} of the guidelines was written meanwhile.",
                    remedy="Copy your text, reload, and put it together with that one.",
                )
            now = self._clock()
            values = {"version": last + 1, "text": text, "author": lead, "created_at": now}
            connection.execute(insert(Guideline).values(dataset_id=number, **values))
            audit_log.note(connection, lead, "guidelines", dataset, {"version": last + 1}, now)
            return GuidelineView(last + 1, text, lead, now)

    def set_gold(
        self, lead: str, pair_id: int, kind: str, winner_id: int | None, explanation: str = ""
    ) -> None:
        """Make a pair gold, or change what its right answer is.

        Raises:
            InputError, NotFoundError: The answer does not fit the pair.
        """
        with self._database.write() as connection:
            pair = _pair(connection, pair_id)
            if kind not in VOTES or (kind == "choose") != (
                winner_id in (pair.first_id, pair.second_id)
            ):
                raise InputError(
                    "The right answer must be one to this pair.",
                    remedy="Reload the page.",
                    field="kind",
                )
            ensure_text_fits(explanation, "explanation")
            values = {"kind": kind, "winner_id": winner_id, "explanation": explanation[:2000]}
            values["active"] = True
            same = Gold.pair_id == pair_id
            if not connection.execute(update(Gold).where(same).values(**values)).rowcount:
                values |= {"dataset_id": pair.dataset_id, "created_at": self._clock()}
                connection.execute(insert(Gold).values(pair_id=pair_id, **values))
            self._mark_gold(connection, lead, pair, True, {"pair": pair_id, "kind": kind})

    def unset_gold(self, lead: str, pair_id: int) -> None:
        """Make a gold pair an ordinary one; what was answered stays."""
        with self._database.write() as connection:
            pair = _pair(connection, pair_id)
            change = update(Gold).where(Gold.pair_id == pair_id).values(active=False)
            if connection.execute(change).rowcount:
                self._mark_gold(connection, lead, pair, False, {"pair": pair_id})

    def toggle_gold(self, lead: str, handle: int) -> bool:
        """Make the answer that `lead` gave to a pair the known right one; the same again ends it.

        Args:
            handle: The pair as the lead's page knows it.

        Returns:
            Whether the pair is gold now.

        Raises:
            InputError: The lead has not judged the pair.
            NotFoundError: The lead was never given it.
        """
        with self._database.read() as connection:
            pair, repeat = answer_permission.own_showing(connection, handle, lead)
            given = pair_card.card(connection, pair, lead, repeat).current
            known = adjudication.gold_of(connection, pair)
        if given is None or given.kind not in VOTES:
            raise InputError(
                "You have not judged this pair.", remedy="Answer it first.", field="pair_id"
            )
        if known == (given.kind, given.winner_id):
            self.unset_gold(lead, pair)
            return False
        self.set_gold(lead, pair, given.kind, given.winner_id, given.comment[:2000])
        return True

    def _mark_gold(self, connection, lead: str, pair, gold: bool, details: dict) -> None:
        connection.execute(update(Pair).where(Pair.id == pair.id).values(gold=gold))
        project_pairs(connection, [pair.id])
        action = checks.GOLD if gold else "no longer gold"
        audit_log.note(connection, lead, action, pair.dataset, details, self._clock())

    def gold_pairs(self, dataset: str) -> int:
        """How many pairs of a dataset are gold."""
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
        with self._database.write() as connection:
            change = update(Annotator).where(Annotator.name == annotator).values(cleared=cleared)
            if not connection.execute(change).rowcount:
                raise NotFoundError(
                    f"Nobody called {annotator!r} has labelled yet.", remedy="Check the name."
                )
            action = "cleared" if cleared else "no longer cleared"
            audit_log.note(connection, lead, action, "", {"annotator": annotator}, self._clock())

    def standing(self, annotator: str, dataset: str | None) -> dict[str, str]:
        """By dataset, why somebody gets no ordinary pairs: `qualifying` or `failed`."""
        with self._database.read() as connection:
            return assignment.standing(connection, annotator, dataset)

    def standings(self, dataset: str) -> dict[str, str]:
        """Where everybody who has answered stands in the qualification round of a dataset.

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
        """How many pairs wait for a decision, by why."""
        with self._database.read() as connection:
            return adjudication.queue_sizes(connection, dataset)

    def next_case(self, lead: str, dataset: str | None = None, after: int = 0) -> Case | None:
        """The next pair to decide above pair `after`; None when there is none."""
        with self._database.read() as connection:
            return adjudication.next_case(connection, lead, dataset, after)

    def case(self, pair_id: int, lead: str) -> Case:
        """One pair with all its votes, as a lead decides it. Raises NotFoundError."""
        with self._database.read() as connection:
            return adjudication.case(connection, pair_id, lead)

    def candidate_on(self, lead: str, pair_id: int, side: str | None, token: str) -> int | None:
        """The candidate on a side of a case as `lead` was shown it; see `adjudication`."""
        with self._database.read() as connection:
            return adjudication.candidate_on(connection, lead, pair_id, side, token)

    def decide(self, event: DecisionEvent) -> None:
        """Save a lead's decision on a pair; it stands above all votes."""
        with self._database.write() as connection:
            adjudication.decide(connection, event, self._clock())

    def quality(self, dataset: str, resamples: int = 1000) -> Quality:
        """All figures of a dataset. Raises NotFoundError."""
        with self._database.read() as connection:
            found = project_settings.project(connection, dataset)
            answers = annotator_figures.gather(connection, found.id)
        return annotator_figures.measure(answers, self._clock(), resamples)

    def answered(self, dataset: str) -> tuple[float, float] | None:
        """When the first and the last answer that stands was given; None without any."""
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
        """What was done, newest first; see `annotation.quality.audit_log.log`."""
        with self._database.read() as connection:
            return audit_log.log(connection, who, dataset, limit)

    def revealed(self, who: str) -> frozenset[str]:
        """The datasets of which `who` sees what the source preferred, before it is judged."""
        with self._database.read() as connection:
            return blinding.revealed(connection, who)

    def viewer(self, who: str) -> Viewer:
        """What makes the handles and the order of answers that `who` sees."""
        with self._database.read() as connection:
            return viewer(connection, who)

    def note(self, who: str, action: str, dataset: str, details: dict) -> None:
        """Put something done outside the database (an export, say) into the log."""
        with self._database.write() as connection:
            audit_log.note(connection, who, action, dataset, details, self._clock())


def _pair(connection, pair_id: int):
    query = (
        select(
            Pair.id, Pair.dataset_id, Pair.first_id, Pair.second_id, Dataset.name.label("dataset")
        )
        .join(Dataset, Dataset.id == Pair.dataset_id)
        .where(Pair.id == pair_id, Pair.origin == "")
    )
    found = connection.execute(query).first()
    if found is None:
        raise NotFoundError(f"There is no pair {pair_id} to label.", remedy="Reload the page.")
    return found
