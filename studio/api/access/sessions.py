"""Who is logged in where: a session on the server for each cookie, so that a logout is one.

The file beside the workspace's other state holds hashes of the cookies only: whoever reads it
cannot log in with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from studio.core.paths import read_state, write_atomic

LOG = logging.getLogger(__name__)
SESSION_SECONDS = 7 * 86_400
MOST_PER_PERSON, MOST = 20, 20_000
SEEN_EVERY = 300.0
LONGEST_BROWSER = 120


@dataclass(frozen=True)
class Session:
    """One browser that is logged in.

    Attributes:
        id: Hash of its cookie.
        proof: What the account's password was, as a hash of its hash; another one ends the session.
        browser: What it says it is; `address` where it was at the login.
    """

    id: str
    name: str
    proof: str
    created: float
    seen: float
    browser: str = ""
    address: str = ""


@dataclass
class Sessions:
    """All sessions of one studio; kept in a file once `keep_in` has named one."""

    clock: Callable[[], float] = time.time
    path: Path | None = None
    _all: dict[str, Session] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def keep_in(self, path: Path) -> None:
        """Take over the sessions of `path`, and write every change there from now on."""
        with self._lock:
            self.path = path
            for item in read_state(path).get("sessions", []):
                session = _session(item)
                if session is not None and self._lives(session):
                    self._all[session.id] = session

    def begin(self, name: str, proof: str, browser: str = "", address: str = "") -> str:
        """Start a session; what its cookie holds."""
        cookie, now = secrets.token_urlsafe(32), self.clock()
        session = Session(
            _id(cookie), name, proof, now, now, browser[:LONGEST_BROWSER], address[:64]
        )
        with self._lock:
            self._all = {one.id: one for one in self._all.values() if self._lives(one)}
            self._drop_oldest(
                [one for one in self._all.values() if one.name == name], MOST_PER_PERSON
            )
            self._drop_oldest(list(self._all.values()), MOST)
            self._all[session.id] = session
            self._write()
        return cookie

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie, if it still runs."""
        session = self._all.get(_id(cookie)) if cookie else None
        if session is None or not self._lives(session):
            return None
        now = self.clock()
        if now - session.seen > SEEN_EVERY:
            with self._lock:
                if session.id in self._all:
                    self._all[session.id] = replace(session, seen=now)
        return session

    def of(self, name: str) -> list[Session]:
        """Return the running sessions of one person, the last used first."""
        with self._lock:
            found = [one for one in self._all.values() if one.name == name and self._lives(one)]
        return sorted(found, key=lambda one: -one.seen)

    def names(self) -> list[str]:
        """Everybody who is logged in somewhere."""
        with self._lock:
            return sorted({one.name for one in self._all.values() if self._lives(one)})

    def end(self, session_id: str) -> None:
        """End one session."""
        with self._lock:
            if self._all.pop(session_id, None) is not None:
                self._write()

    def end_all(self, name: str, but: str = "") -> int:
        """End all sessions of a person, except the one with the id `but`; how many those were."""
        with self._lock:
            ended = [one.id for one in self.of(name) if one.id != but]
            for session_id in ended:
                del self._all[session_id]
            if ended:
                self._write()
        return len(ended)

    def renew(self, session_id: str, proof: str) -> None:
        """Let a session go on after its person has set another password."""
        with self._lock:
            if session_id in self._all:
                self._all[session_id] = replace(self._all[session_id], proof=proof)
                self._write()

    def _lives(self, session: Session) -> bool:
        # A clock set back must not make a session immortal.
        return 0 <= self.clock() - session.created + SEEN_EVERY < SESSION_SECONDS + SEEN_EVERY

    def _drop_oldest(self, sessions: list[Session], most: int) -> None:
        for one in sorted(sessions, key=lambda one: one.seen)[: max(0, len(sessions) - most + 1)]:
            self._all.pop(one.id, None)

    def _write(self) -> None:
        if self.path is None:
            return
        content = json.dumps({"sessions": [asdict(one) for one in self._all.values()]})
        try:
            write_atomic(self.path, content, private=True)
        except OSError:  # they hold until the studio ends; a full disk must keep nobody out
            LOG.exception("The sessions could not be written to %s", self.path)


def _id(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _session(item: object) -> Session | None:
    if not isinstance(item, dict):
        return None
    try:
        return Session(**item)
    except TypeError:  # of another version of the studio
        return None
