"""A blind match: the answers of two to four models to the same rows, for people to judge.

Made of a finished evaluation. Its pairs lie in a dataset of the library and are judged in Annotate;
what is known of it besides is one small file, `matches/<id>.json`, that no annotator sees.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from studio.core.errors import InputError, NotFoundError, RunFailedError
from studio.core.paths import Workspace, can_be_path, read_state, write_json

logger = logging.getLogger(__name__)
State = Literal["being made", "open", "closed"]
ENDING = ".json"
LARGEST_FILE = 64 << 20
_EVALUATION = re.compile(rb'"evaluation"\s*:\s*"([A-Za-z0-9._-]{1,100})"')
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass(frozen=True)
class MatchPair:
    """Two contestants' answers to a row.

    Attributes:
        row: Id of the row in the evaluation.
        item: Id of the row in the dataset of the match; empty where nobody is asked.
    """

    row: str
    contestants: tuple[str, str]
    item: str = ""


@dataclass(frozen=True)
class Match:
    """One match.

    Attributes:
        evaluation: Id of the evaluation whose answers are judged; `data` says of which rows.
        dataset: Of the library, with the pairs.
        overlap: People who judge each pair.
        pairs: To be judged; `alike` are the pairs whose answers say the same: ties.
        left_out: Pairs that are neither, by the reason.
        tells: What gives contestants away, in sentences; for leads only.
        notes: What else a lead should know of how it was made, in sentences.
        unasked: Ids of the rows that nobody had judged when the judging was ended; who had one of
            them on the page then could still answer it.
        created: Seconds since the epoch; `who` made it, empty on a studio without logins.
        about: The contestant that each pair has; empty where every two contestants are compared.
    """

    match_id: str
    evaluation: str
    data: str
    dataset: str
    contestants: tuple[str, ...]
    pairs: tuple[MatchPair, ...]
    alike: tuple[MatchPair, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    tells: tuple[str, ...] = ()
    overlap: int = 1
    state: State = "being made"
    created: float = 0.0
    who: str = ""
    notes: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    about: str = ""

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """Which two contestants are compared."""
        every = combinations(self.contestants, 2)
        return tuple(two for two in every if not self.about or self.about in two)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Match:
        """Read what `asdict` has written. Raises TypeError, KeyError or ValueError for others."""
        names = {one.name for one in fields(cls)}
        given = {name: value for name, value in values.items() if name in names}
        for name in ("pairs", "alike"):
            given[name] = tuple(
                MatchPair(str(pair["row"]), _two(pair["contestants"]), str(pair.get("item", "")))
                for pair in given.get(name, ())
            )
        for name in ("contestants", "tells", "notes", "unasked"):
            given[name] = tuple(map(str, given.get(name, ())))
        return cls(**given)


class MatchStore:
    """The matches of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def new_id(self) -> str:
        """Return an id that no match has; it tells nothing but when it was made."""
        return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"

    def write(self, match: Match) -> None:
        """Keep a match. Raises RunFailedError where the disk takes no more."""
        path = self._path(match.match_id)
        try:
            write_json(path, asdict(match))
        except OSError as error:
            raise RunFailedError(
                f"The match cannot be written to {path.parent}: {error.strerror or error}.",
                remedy="Make room, then make the match again; nothing is doubled.",
            ) from error

    def find(self, match_id: str) -> str:
        """Return the whole id of a match, also of a damaged one, by the unique beginning of it.

        Raises:
            NotFoundError: There is none.
            InputError: Several begin so.
        """
        begun = [name for name in self.ids() if name.startswith(match_id)] if match_id else []
        if match_id in begun:
            begun = [match_id]
        if not begun or not can_be_path(match_id):
            raise NotFoundError(
                f"There is no match {match_id[:80]!r} in {self.workspace.root}.",
                remedy="`python -m studio match --list` shows those there are.",
            )
        if len(begun) > 1:
            raise InputError(
                f"{len(begun)} matches begin with {match_id!r}: {', '.join(begun[:5])}.",
                remedy="Write more of the id.",
            )
        return begun[0]

    def get(self, match_id: str) -> Match:
        """Return a match by its id or the unique beginning of it.

        Raises:
            NotFoundError: There is none.
            InputError: It is damaged, or several begin so.
        """
        found = self.find(match_id)
        path = self._path(found)
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise ValueError("it is too large")
            return Match.from_json(read_state(path))
        except (OSError, TypeError, KeyError, ValueError, AttributeError) as error:
            raise InputError(
                f"The match {found} is damaged: {path} cannot be read.",
                remedy=f"Bring the file back from a backup, or forget the match: python -m studio "
                f"match --delete {found}; its dataset with the labels stays in the library.",
            ) from error

    def list(self) -> list[Match]:
        """Return all matches that can be read, newest first; others are named in the log."""
        found = []
        for name in self.ids():
            try:
                found.append(self.get(name))
            except InputError:
                logger.exception("Match %s is passed over.", name)
        return found

    def ids(self) -> Sequence[str]:
        """Return the ids of all matches, newest first."""
        folder = self.workspace.matches
        if not folder.is_dir():
            return []
        names = (path.stem for path in folder.glob(f"*{ENDING}") if path.is_file())
        return sorted((name for name in names if _ID.fullmatch(name)), reverse=True)

    def of_evaluation(self, evaluation_id: str) -> Match | None:
        """Return the newest match that was made of an evaluation; None where none was."""
        return next((one for one in self.list() if one.evaluation == evaluation_id), None)

    def of_run(self, run_id: str) -> Sequence[Match]:
        """Return the matches in which a run takes part, newest first."""
        return [
            one
            for one in self.list()
            if any(name.partition("@")[0] == run_id for name in one.contestants)
        ]

    def damaged(self, evaluation_id: str = "") -> Sequence[str]:
        """Return the ids of matches that cannot be read, newest first.

        Args:
            evaluation_id: Only those that may be of this evaluation: their file still names it, or
                names none any more.
        """
        return [
            name
            for name in self.ids()
            if not self._readable(name)
            and (not evaluation_id or self._names(name) in ("", evaluation_id))
        ]

    def _readable(self, match_id: str) -> bool:
        try:
            self.get(match_id)
        except InputError:
            return False
        except NotFoundError:  # deleted meanwhile
            return True
        return True

    def _names(self, match_id: str) -> str:
        """The evaluation that a damaged file still names; empty when that cannot be told."""
        try:
            with self._path(match_id).open("rb") as file:
                found = _EVALUATION.search(file.read(LARGEST_FILE))
        except OSError:
            return ""
        return found[1].decode() if found else ""

    def delete(self, match_id: str) -> None:
        """Forget a match by its whole id, also a damaged one.

        Its dataset and what people said stay in the library.

        Raises:
            RunFailedError: Its file cannot be removed.
        """
        path = self._path(match_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunFailedError(
                f"The match cannot be removed: {path}: {error.strerror or error}.",
                remedy="Look whether the folder may be written to, then delete it again.",
            ) from error

    def _path(self, match_id: str) -> Path:
        return self.workspace.matches / f"{match_id}{ENDING}"


def _two(names: Any) -> tuple[str, str]:
    first, second = names
    return str(first), str(second)
