"""Which studios have a workspace open, so that each can tell of the others.

Every studio keeps a small file in the workspace and renews it. On one machine several may share a
workspace: SQLite's locks hold between them, and one of them starts the runs. Between machines they
do not hold for a database in a shared folder, so a second machine is refused.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import psutil

from studio.core.errors import BusyError
from studio.core.local_time import minute
from studio.core.paths import Workspace, read_state, write_json
from studio.core.process_identity import process_alive

logger = logging.getLogger(__name__)
BEAT_SECONDS = 5.0
GONE_SECONDS = 30.0
LOOK_SECONDS = 2.0
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Studio:
    """One studio that has the workspace open.

    Attributes:
        machine: The same for all containers of one machine, whatever their `host` says.
        since: When it began; `beat` is when it last said that it is there.
        address: Where its page is; empty until it is served.
    """

    host: str = ""
    machine: str = ""
    user: str = ""
    pid: int = 0
    pid_started: float = 0.0
    since: float = 0.0
    beat: float = 0.0
    address: str = ""

    def __str__(self) -> str:
        where = f" at {self.address}" if self.address else ""
        since = minute(self.since)
        return f"studio{where} (process {self.pid} of {self.user} on {self.host}, since {since})"


def this_studio() -> Studio:
    """What is told of this process."""
    host = socket.gethostname()
    try:
        machine = BOOT.read_text("ascii").strip()
    except OSError:
        machine = host
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "?"
    now, started = time.time(), psutil.Process().create_time()
    return Studio(host, machine, user, os.getpid(), started, now, now)


class Presence:
    """This studio among those of a workspace."""

    def __init__(self, workspace: Workspace, me: Studio | None = None) -> None:
        self._folder = workspace.studios
        self._file = self._folder / f"{uuid.uuid4().hex}.json"
        self._me = me or this_studio()
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._seen: tuple[float, list[Studio]] = (0.0, [])

    def enter(self, *, alone_on_machine: bool) -> None:
        """Say that this studio is here, from now on.

        Args:
            alone_on_machine: The database cannot be shared with another machine.

        Raises:
            BusyError: A studio of another machine is here, and they cannot share.
        """
        if alone_on_machine:
            self._refuse_other_machines()
        self._beat()
        threading.Thread(target=self._keep_beating, name="presence", daemon=True).start()

    def serves_at(self, address: str) -> None:
        """Tell the others where the page is."""
        self._me = replace(self._me, address=address)
        self._beat()

    def others(self) -> list[Studio]:
        """The other studios that have the workspace open, the longest first."""
        looked, found = self._seen
        if time.monotonic() - looked > LOOK_SECONDS or not looked:
            found = sorted(self._look(), key=lambda one: one.since)
            self._seen = (time.monotonic(), found)
        return found

    def leave(self) -> None:
        """Say that this studio has gone."""
        self._left.set()
        with self._lock:
            self._file.unlink(missing_ok=True)

    def _look(self) -> list[Studio]:
        found = []
        for file in self._folder.glob("*.json"):
            if file == self._file:
                continue
            other = _read(file)
            if self._is_there(other):
                found.append(other)
            elif other.host == self._me.host:
                file.unlink(missing_ok=True)  # it was killed
        return found

    def _is_there(self, other: Studio) -> bool:
        if (other.host, other.machine) == (self._me.host, self._me.machine):
            return process_alive(other.pid, other.pid_started)
        return abs(time.time() - other.beat) < GONE_SECONDS

    def _refuse_other_machines(self) -> None:
        """Refuse what goes on renewing its file; what was killed does not."""
        elsewhere = {
            file: other
            for file in self._folder.glob("*.json")
            if (other := _read(file)).machine != self._me.machine and self._is_there(other)
        }
        until = time.monotonic() + 2 * BEAT_SECONDS
        while elsewhere and time.monotonic() < until:
            for file, before in elsewhere.items():
                if _read(file).beat not in (before.beat, 0.0):
                    raise BusyError(
                        f"This workspace is open on another machine: {before}.",
                        remedy="Stop that studio first, or share a PostgreSQL database "
                        "(STUDIO_DATABASE_URL): the labels in an SQLite file cannot be shared "
                        "between machines.",
                    )
            time.sleep(min(0.2, BEAT_SECONDS / 5))

    def _keep_beating(self) -> None:
        while not self._left.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        with self._lock:
            if self._left.is_set():
                return
            try:
                write_json(self._file, asdict(replace(self._me, beat=time.time())), durable=False)
            except OSError:  # a full disk: labels matter more than this
                logger.warning("Other studios cannot be told of this one.", exc_info=True)


def _read(file: Path) -> Studio:
    """What a file says; nothing that is there, where it is damaged or gone."""
    said = read_state(file)
    known = {one.name: said[one.name] for one in fields(Studio) if one.name in said}
    return Studio(**known)
