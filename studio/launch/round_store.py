"""The rounds of a workspace: what each was asked to be. How far it is lies where its steps put it."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio.config.round import RoundSettings
from studio.core.errors import BusyError, InputError, NotFoundError, RunFailedError
from studio.core.paths import Workspace, can_be_path, read_state, write_json

logger = logging.getLogger(__name__)
ENDING = ".json"
LONGEST_NAME = 120
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass(frozen=True)
class Round:
    """One round, as it was asked for.

    Attributes:
        name: Of the rounds that follow one another; `number` counts them from 1.
        before: Id of the round before it; empty for the first.
        start: The run whose model answers and is trained further; empty for the base.
        created: Seconds since the epoch; `who` began it, empty on a studio without logins.
    """

    round_id: str
    name: str
    settings: RoundSettings
    number: int = 1
    before: str = ""
    start: str = ""
    template: str = ""
    created: float = 0.0
    who: str = ""

    @property
    def dataset(self) -> str:
        """Of the library, with the pairs of this round."""
        return round_dataset(self.round_id)

    @property
    def run_name(self) -> str:
        """Name of the run that this round starts."""
        return f"round-{self.round_id}"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.name}, round {self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values; `from_json` reads them."""
        return {**asdict(self), "settings": self.settings.model_dump(mode="json")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Round:
        """Read what `to_json` has written. Raises TypeError, KeyError or ValueError for others."""
        settings = RoundSettings.model_validate(values["settings"])
        return cls(**{**values, "settings": settings})


def round_dataset(round_id: str) -> str:
    """Return what the dataset of a round is called in the library."""
    return f"round {round_id}"


class RoundStore:
    """The rounds of a workspace, one small file each."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(self, made: Round) -> Round:
        """Keep a new round under an id of its own.

        Raises:
            RunFailedError: The disk takes no more.
        """
        round_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        kept = replace(made, round_id=round_id, created=time.time())
        path = self._path(round_id)
        try:
            write_json(path, kept.to_json())
        except OSError as error:
            raise RunFailedError(
                f"The round cannot be written to {path.parent}: {error.strerror or error}.",
                remedy="Make room, then start it again; nothing was begun.",
            ) from error
        return kept

    def get(self, name: str) -> Round:
        """Return a round by its id or the unique beginning of it.

        Raises:
            NotFoundError: There is none.
            InputError: It is damaged, or several begin so.
        """
        begun = [one for one in self.ids() if one.startswith(name)] if name else []
        if name in begun:
            begun = [name]
        if not begun or not can_be_path(name):
            raise NotFoundError(
                f"There is no round {name[:80]!r} in {self.workspace.root}.",
                remedy="`python -m studio round list` shows those there are.",
            )
        if len(begun) > 1:
            raise InputError(
                f"{len(begun)} rounds begin with {name!r}: {', '.join(begun[:5])}.",
                remedy="Write more of the id.",
            )
        path = self._path(begun[0])
        try:
            return Round.from_json(read_state(path))
        except (OSError, TypeError, KeyError, ValueError) as error:
            raise InputError(
                f"The round {begun[0]} is damaged: {path} cannot be read.",
                remedy="Delete that file; its labels, runs and matches stay where they are.",
            ) from error

    def newest(self) -> Round:
        """Return the round that was started last. Raises NotFoundError."""
        found = self.list()
        if not found:
            raise NotFoundError(
                f"There is no round in {self.workspace.root} yet.",
                remedy="Start one: python -m studio round start MODEL --data SOURCE --goal SOURCE",
            )
        return found[0]

    def list(self) -> list[Round]:
        """Return all rounds that can be read, newest first; others are named in the log."""
        found = []
        for name in self.ids():
            try:
                found.append(self.get(name))
            except InputError:
                logger.exception("Round %s is passed over.", name)
        return sorted(found, key=lambda one: one.created, reverse=True)

    def ids(self) -> Sequence[str]:
        """Return the ids of all rounds, newest first."""
        folder = self.workspace.rounds
        names = (path.stem for path in folder.glob(f"*{ENDING}")) if folder.is_dir() else ()
        return sorted((name for name in names if _ID.fullmatch(name)), reverse=True)

    def earlier(self, one: Round) -> Sequence[Round]:
        """Return the rounds before it, the newest first; one that is gone ends the line."""
        found: dict[str, Round] = {}
        name = one.before
        while name and name not in found:
            try:
                found[name] = self.get(name)
            except InputError:
                logger.exception("Round %s, before %s, is passed over.", name, one.round_id)
                break
            name = found[name].before
        return tuple(found.values())

    def after(self, one: Round) -> Round | None:
        """Return the newest round that follows it; None where none does."""
        return next((other for other in self.list() if other.before == one.round_id), None)

    def delete(self, one: Round) -> None:
        """Forget a round; its labels, runs and matches stay where they are."""
        self._path(one.round_id).unlink(missing_ok=True)

    @contextmanager
    def working(self, one: Round) -> Iterator[None]:
        """Hold a round while a step of it is taken, so that none is taken twice.

        Raises:
            BusyError: Another process, or another page, takes one.
        """
        lock = FileLock(self.workspace.rounds / f".{one.round_id}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as busy:
            raise BusyError(
                f"A step of {one.title} is being taken already.",
                remedy="Wait for its end; `python -m studio round show` says how far it is.",
            ) from busy
        try:
            yield
        finally:
            lock.release()

    def _path(self, round_id: str) -> Path:
        return self.workspace.rounds / f"{round_id}{ENDING}"
