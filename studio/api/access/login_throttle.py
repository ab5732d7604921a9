"""How often somebody may guess a password: longer and longer waits, and never for the right one.

Attempts count for a name together with an address, for an address, and for a name. A browser in
which somebody has logged in before counts for itself alone: it carries a signed cookie, so that
whoever guesses at a name from elsewhere cannot keep its owner out. Somebody who is logged in and
types the old password to set another counts for that session, and for nothing else.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

FIRST_WAIT, LONGEST_WAIT, LONGEST_WAIT_KNOWN = 5.0, 900.0, 30.0
FORGOTTEN_AFTER = 3600.0
MOST_TRACKED, LOOKED_AT = 10_000, 200
# Failures before the first wait.
FREE = {"pair": 5, "device": 10, "address": 20, "name": 30, "session": 10, "link": 20}


@dataclass
class _Failures:
    count: int
    last: float
    before: float = 0.0  # when the one before was


@dataclass
class Throttle:
    """Counts attempts; each counts as failed until it is said that it was not."""

    clock: Callable[[], float] = time.monotonic
    _failures: dict[tuple[str, str], _Failures] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def attempt(self, name: str, address: str, device: str = "", session: str = "") -> float:
        """Count an attempt; how many seconds to wait instead, when it comes too soon.

        Args:
            session: Of somebody who is logged in already; then the rest does not count.
        """
        kinds = _kinds(name, address, device, session)
        with self._lock:
            wait = max(self._wait(kind) for kind in kinds)
            if wait <= 0:
                for kind in kinds:
                    self._count(kind)
        return max(0.0, wait)

    def succeeded(self, name: str, address: str, device: str = "", session: str = "") -> None:
        """The last attempt had the right password."""
        with self._lock:
            for kind in _kinds(name, address, device, session):
                if kind[0] in ("pair", "device", "session"):
                    self._failures.pop(kind, None)
        self.take_back(name, address, device, session)

    def wrong_link(self, address: str) -> float:
        """Count a link nobody was given; how many seconds to wait, when there were too many."""
        kind = ("link", network(address))
        with self._lock:
            wait = self._wait(kind)
            if wait <= 0:
                self._count(kind)
        return max(0.0, wait)

    def take_back(self, name: str, address: str, device: str = "", session: str = "") -> None:
        """The last attempt was none: no password was checked, or it was right."""
        with self._lock:
            for kind in _kinds(name, address, device, session):
                found = self._failures.get(kind)
                if found is not None:  # as if it had not been: it starts no new wait
                    found.count -= 1
                    found.last = found.before

    def _wait(self, kind: tuple[str, str]) -> float:
        found = self._failures.get(kind)
        if found is None:
            return 0.0
        passed = self.clock() - found.last
        over = found.count - FREE[kind[0]]
        if over < 0 or passed > FORGOTTEN_AFTER:
            return 0.0
        longest = LONGEST_WAIT_KNOWN if kind[0] == "device" else LONGEST_WAIT
        return min(longest, FIRST_WAIT * 2.0 ** min(over, 12)) - passed

    def _count(self, kind: tuple[str, str]) -> None:
        now = self.clock()
        found = self._failures.pop(kind, None)
        if found is None or now - found.last > FORGOTTEN_AFTER:
            found = _Failures(0, now)
        while len(self._failures) >= MOST_TRACKED:
            self._forget_one()
        self._failures[kind] = _Failures(found.count + 1, now, found.last)

    def _forget_one(self) -> None:
        """Make room: of those that were counted longest ago, the one that failed least.

        Whoever guesses at many made-up names must not free a name that is guessed at in earnest.
        """
        oldest = islice(self._failures.items(), LOOKED_AT)
        self._failures.pop(min(oldest, key=lambda item: item[1].count)[0])


def _kinds(name: str, address: str, device: str, session: str) -> list[tuple[str, str]]:
    if session:
        return [("session", session)]
    if device:
        return [("device", device)]
    where = network(address)
    return [("pair", f"{name}\n{where}"), ("address", where), ("name", name)]


def network(address: str) -> str:
    """Whose address it is: one of IPv4, the first 64 bits of IPv6, which one person is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
