"""The conversations people had with models: one small file each, in a folder per person."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.core.errors import ConflictError, InputError, NotFoundError, RunFailedError
from studio.core.paths import Workspace, write_json

logger = logging.getLogger(__name__)
MOST = 500
LARGEST_FILE = 8 << 20
LONGEST_NAME = 120
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_WRITING = threading.Lock()
"""Studios of other processes write one at a time too, but may overtake each other."""


@dataclass(frozen=True)
class KeptConversation:
    """One conversation as it is kept.

    Attributes:
        revision: Grows with every writing; a page that read an older one does not overwrite it.
        content: Its turns, as whoever shows it has written them.
    """

    conversation_id: str
    name: str
    updated: float = 0.0
    revision: int = 0
    content: dict[str, Any] = field(default_factory=dict)


class ConversationStore:
    """The conversations of one person in a workspace; nobody else's can be reached through it."""

    def __init__(self, workspace: Workspace, who: str) -> None:
        # A login may have characters that no file name has.
        self._folder = workspace.conversations / hashlib.sha256(who.encode()).hexdigest()[:32]

    def list(self) -> list[KeptConversation]:
        """Return those that can be read, newest first; others are named in the log."""
        found = []
        for path in self._folder.glob("*.json") if self._folder.is_dir() else ():
            try:
                found.append(self.get(path.stem))
            except (InputError, NotFoundError):
                logger.exception("The conversation %s is passed over.", path.stem)
        return sorted(found, key=lambda one: one.updated, reverse=True)

    def get(self, conversation_id: str) -> KeptConversation:
        """Read one.

        Raises:
            NotFoundError: It is not there, or not this person's.
            InputError: Its file is damaged.
        """
        path = self._path(conversation_id)
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise ValueError("it is too large")
            return _read(conversation_id, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise _gone() from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"The conversation {conversation_id} cannot be read: its file is damaged.",
                remedy="Delete it, or bring it back from a backup.",
            ) from error

    def add(self, name: str, content: dict[str, Any]) -> KeptConversation:
        """Keep a new one.

        Raises:
            InputError: There are `MOST` already, or it is too large.
            RunFailedError: The disk takes no more.
        """
        with _WRITING:
            if len([*self._folder.glob("*.json")]) >= MOST:
                raise InputError(
                    f"You have {MOST} conversations, which is the most that are kept: this one is "
                    "not.",
                    remedy="Delete some in the list.",
                )
            made = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
            return self._write(KeptConversation(made, _cleaned(name), content=content))

    def update(self, kept: KeptConversation, content: dict[str, Any]) -> KeptConversation:
        """Write how a conversation goes on that was read or written before.

        Raises:
            NotFoundError: It was deleted meanwhile; it does not come back.
            ConflictError: It went on elsewhere; what stands there is kept.
            InputError, RunFailedError: As in `add`.
        """
        with _WRITING:
            there = self.get(kept.conversation_id)
            if there.revision != kept.revision:
                raise ConflictError(
                    "This conversation went on in another tab.",
                    remedy="Open it in the list to see that one.",
                )
            return self._write(replace(there, content=content))

    def rename(self, conversation_id: str, name: str) -> KeptConversation:
        """Give one another name; its revision stays, as no turn changes.

        Raises:
            NotFoundError, InputError, RunFailedError: As in `get` and `add`.
        """
        with _WRITING:
            kept = replace(self.get(conversation_id), name=_cleaned(name))
            return self._write(kept, revision=kept.revision)

    def delete(self, conversation_id: str) -> None:
        """Delete one; its images stay in the store. Raises NotFoundError."""
        with _WRITING:
            try:
                self._path(conversation_id).unlink()
            except FileNotFoundError:
                raise _gone() from None
            except OSError as error:
                raise _not_written(error) from error

    def _write(self, kept: KeptConversation, revision: int | None = None) -> KeptConversation:
        following = kept.revision + 1 if revision is None else revision
        kept = replace(kept, updated=time.time(), revision=following)
        if len(json.dumps(kept.content, ensure_ascii=False).encode()) > LARGEST_FILE // 2:
            raise InputError(
                "This conversation is too long to be kept.",
                remedy="Begin a new one; what was kept so far stays.",
            )
        try:
            write_json(self._path(kept.conversation_id), asdict(kept))
        except OSError as error:
            raise _not_written(error) from error
        return kept

    def _path(self, conversation_id: str) -> Path:
        if not _ID.fullmatch(conversation_id):
            raise _gone()
        return self._folder / f"{conversation_id}.json"


def _read(conversation_id: str, values: dict[str, Any]) -> KeptConversation:
    content = values["content"]
    if not isinstance(content, dict):
        raise ValueError("it has no content")
    return KeptConversation(
        conversation_id,
        str(values["name"])[:LONGEST_NAME],
        float(values["updated"]),
        int(values["revision"]),
        content,
    )


def _cleaned(name: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[
        :LONGEST_NAME
    ] or time.strftime("%d %b %H:%M")


def _gone() -> NotFoundError:
    return NotFoundError(
        "This conversation is no longer there: it was deleted.",
        remedy="What the page shows is not kept; export it, or go on in a new one.",
    )


def _not_written(error: OSError) -> RunFailedError:
    return RunFailedError(
        f"The conversation cannot be kept: {error.strerror or error}.",
        remedy="Make room on the disk; the next answer is written with all that came before.",
    )
