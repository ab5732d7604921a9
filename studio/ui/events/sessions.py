"""Whose page a session is: nobody else listens to its events, adds to them or ends it."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_SESSIONS = 1_000  # of one person: a page that is loaded is one


@dataclass
class SessionOwners:
    """Sessions by whoever used them first; of each person the ones used last."""

    most: int = MOST_SESSIONS
    _owners: dict[str, str] = field(default_factory=dict, repr=False)
    _used: dict[str, dict[str, None]] = field(default_factory=dict, repr=False)

    def claim(self, session: str, person: str) -> bool:
        """Make a session this person's. Returns: whether it is; it is not when it is another's."""
        if self._owners.setdefault(session, person) != person:
            return False
        theirs = self._used.setdefault(person, {})
        theirs.pop(session, None)
        theirs[session] = None  # the one used longest ago is the first
        if len(theirs) > self.most:
            longest = next(iter(theirs))
            del theirs[longest], self._owners[longest]
        return True
