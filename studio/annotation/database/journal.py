"""A copy of labels and images in a dataset repository, for machines whose disk does not last.

On a Space everything on the disk is gone after a restart. With `STUDIO_JOURNAL=OWNER/NAME` a
consistent copy of the database and the images is pushed there by huggingface_hub's
`CommitScheduler`, and put back before anything is served.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.annotation.database.backup import back_up, restore
from studio.core.errors import InputError, RunFailedError, StudioError, first_line
from studio.core.paths import Workspace, link_or_copy

logger = logging.getLogger(__name__)
VARIABLE = "STUDIO_JOURNAL"
COPY = "studio.db"
EVERY_MINUTES = 1.0
REPEATED = 2


@dataclass(frozen=True)
class JournalState:
    """How the pushes go.

    Attributes:
        pushed_at: When the last one succeeded, seconds since the epoch; None before the first.
        failures: How many have failed since.
        problem: What the last failure said.
    """

    pushed_at: float | None = None
    failures: int = 0
    problem: str = ""

    @property
    def failing(self) -> bool:
        """Whether pushes fail again and again, not just once."""
        return self.failures >= REPEATED


class Journal:
    """The journal of one workspace.

    Args:
        repo: Dataset repository, `OWNER/NAME`; made, private, when it is not there.
        every: Minutes between two pushes.
    """

    def __init__(
        self,
        workspace: Workspace,
        repo: str,
        *,
        endpoint: str | None = None,
        every: float = EVERY_MINUTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from huggingface_hub import HfApi

        self.workspace, self.repo, self.every = workspace, repo, every
        self.state = JournalState()
        self._api, self._clock = HfApi(endpoint=endpoint), clock
        self._folder = workspace.journal
        self._scheduler: Any = None

    def restore(self) -> bool:
        """Put database and images back when the workspace has no database; whether it did.

        Raises:
            RunFailedError: The repository cannot be read. Going on without what it holds would
                replace it by an empty one.
        """
        from huggingface_hub.errors import HTTPError

        if self.workspace.database.exists():
            return False
        try:
            if not self._api.file_exists(self.repo, COPY, repo_type="dataset"):
                return False
            self._api.snapshot_download(self.repo, repo_type="dataset", local_dir=self._folder)
        except (HTTPError, OSError) as error:
            raise RunFailedError(
                f"The labels in {self.repo} cannot be read: {error}",
                remedy=f"Check the token and the connection, or unset {VARIABLE} to start empty.",
            ) from error
        _link_missing(self._folder / "images", self.workspace.images)
        restore(self.workspace.database_url, self._folder / COPY)
        return True

    def start(self) -> None:
        """Push now, and every few minutes from now on, in the background.

        Raises:
            RunFailedError: The repository cannot be made or written.
        """
        from huggingface_hub import CommitScheduler
        from huggingface_hub.errors import HTTPError

        journal = self

        class Pushing(CommitScheduler):
            def push_to_hub(self) -> Any:
                return journal.push(super().push_to_hub)

        try:
            self._scheduler = Pushing(
                repo_id=self.repo,
                repo_type="dataset",
                folder_path=self._folder,
                every=self.every,
                private=True,
                squash_history=False,
                hf_api=self._api,
            )
        except (HTTPError, OSError) as error:
            raise RunFailedError(
                f"Labels cannot be kept in {self.repo}: {error}",
                remedy="Give the Space a token that may write there (HF_TOKEN).",
            ) from error

    def push(self, send: Callable[[], Any]) -> Any:
        """Copy what is new into the journal's folder and `send` it; notes how it went."""
        from huggingface_hub.errors import HTTPError

        try:
            self._collect()
            sent = send()
        except (HTTPError, OSError, StudioError) as error:
            problem, failures = first_line(error)[:200], self.state.failures + 1
            if problem != self.state.problem:
                logger.exception("Labels could not be kept in %s; it is tried again.", self.repo)
            self.state = JournalState(self.state.pushed_at, failures, problem)
            return None
        self.state = JournalState(self._clock())
        return sent

    def close(self) -> None:
        """Push a last time and stop."""
        if self._scheduler is not None:
            self._scheduler.trigger().result()
            self._scheduler.stop()
            self._scheduler = None

    def _collect(self) -> None:
        fresh = self._folder / f".{COPY}.new"
        fresh.unlink(missing_ok=True)
        back_up(self.workspace.database_url, fresh)
        fresh.replace(self._folder / COPY)
        _link_missing(self.workspace.images, self._folder / "images")


def open_journal(
    workspace: Workspace, environment: Mapping[str, str] = os.environ
) -> Journal | None:
    """Make the journal that `STUDIO_JOURNAL` names; None when it names none.

    Raises:
        InputError: It is not the name of a repository, or the database is not SQLite.
    """
    repo = environment.get(VARIABLE, "").strip()
    if not repo:
        return None
    if repo.count("/") != 1:
        raise InputError(f"{VARIABLE} is {repo!r}.", remedy="Use OWNER/NAME.", field=VARIABLE)
    if not workspace.database_url.startswith("sqlite"):
        raise InputError(
            f"{VARIABLE} keeps an SQLite database, and this one is another.",
            remedy=f"Unset {VARIABLE}: a database server keeps its labels itself.",
            field=VARIABLE,
        )
    return Journal(workspace, repo)


def _link_missing(source: Path, target: Path) -> None:
    """Every file of `source` that `target` lacks, as a link to it or a copy; they never change."""
    for path in source.glob("*/*"):
        other = target / path.relative_to(source)
        if path.is_file() and not path.name.startswith(".") and not other.exists():
            link_or_copy(path, other)
