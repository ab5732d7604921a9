"""Links with which somebody sets a password of their own: once, and not for ever.

The accounts file holds a hash of each link, so that reading it lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.api.access import accounts, passwords
from studio.core.errors import ConflictError, InputError, NotFoundError

INVITE_SECONDS = 3 * 86_400
MOST_WAITING = 500


@dataclass(frozen=True)
class Invite:
    """Whose a link is, and until when it works."""

    name: str
    role: str
    until: float
    by: str = ""

    @property
    def expired(self) -> bool:
        return self.until < time.time()


@dataclass
class Links:
    """The links of one accounts file, read again only when it has changed.

    Strangers may ask for any link as often as they like, and the file may be long.
    """

    path: Path
    _all: list[tuple[Invite, str]] = field(default_factory=list, repr=False)
    _seen: tuple[int, ...] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def find(self, token: str) -> Invite:
        """Whose link it is. Raises NotFoundError when it was used, has ended, or never was."""
        with self._lock:
            if (seen := accounts.stamp(self.path)) != self._seen:
                self._seen, self._all = seen, []  # a broken file has no links until it is mended
                self._all = _all(accounts.read_accounts(self.path))
            kept = self._all
        return _found(kept, token)


def invite(path: Path, name: str, role: str, by: str) -> str:
    """Let somebody new in by a link; the secret part of it. One made before for them ends.

    Raises:
        InputError: The name or the role cannot be used.
        ConflictError: The name is taken.
    """
    accounts.check_name(name)
    accounts.check_role(role)
    with accounts.changing(path) as values:
        if name in values["users"]:
            raise ConflictError(
                f"There is an account {name!r} already.",
                remedy="Choose another name, or reset that account's password.",
                field="name",
            )
        accounts.check_free(name, values["users"], "account")
        accounts.check_free(name, _items(values), "invitation")
        return _add(values, name, role, by)


def reset(path: Path, name: str, by: str) -> str:
    """End somebody's password, and let them set another by a link. Raises NotFoundError."""
    nobody_knows = passwords.new_hash(secrets.token_urlsafe(32))
    with accounts.changing(path) as values:
        user = values["users"].get(name)
        if not isinstance(user, dict):
            raise NotFoundError(f"There is no account {name!r}.", remedy="Reload the page.")
        user["password"] = nobody_knows
        return _add(values, name, str(user.get("role")), by)


def withdraw(path: Path, name: str) -> None:
    """End a link. Raises NotFoundError."""
    with accounts.changing(path) as values:
        if values.get("invites", {}).pop(name, None) is None:
            raise NotFoundError(f"{name!r} has no invitation.", remedy="Reload the page.")


def accept(path: Path, token: str, password: str) -> Invite:
    """Set the password of whoever the link is for; it works no more.

    Raises:
        NotFoundError: The link was used, has ended, or never was.
        ConflictError: An account has been made since whose name looks the same.
        InputError: The password cannot be used; the link still works.
    """
    found = _found(_all(accounts.read_accounts(path)), token)
    passwords.check_password(found.name, password)
    kept = passwords.new_hash(password)
    with accounts.changing(path) as values:
        found = _found(_all(values), token)
        try:
            accounts.check_free(found.name, values["users"], "account")
        except ConflictError as error:  # who has the link cannot choose another name
            ask = "Ask the lead for a link with another name."
            raise ConflictError(error.message, remedy=ask) from error
        user = values["users"].setdefault(found.name, accounts.new_user(found.role))
        user["password"] = kept
        del values["invites"][found.name]
    return found


def waiting(path: Path) -> list[Invite]:
    """All links that were made and not used, also those that have ended."""
    return [one for one, _ in _all(accounts.read_accounts(path))]


def _add(values: dict[str, Any], name: str, role: str, by: str) -> str:
    invites = values.setdefault("invites", {})
    invites.pop(name, None)
    if len(invites) >= MOST_WAITING:
        raise InputError("Too many invitations wait.", remedy="Withdraw some of them first.")
    token = secrets.token_urlsafe(32)
    until = int(time.time() + INVITE_SECONDS)
    invites[name] = {"role": role, "token": _hashed(token), "until": until, "by": by}
    return token


def _found(links: list[tuple[Invite, str]], token: str) -> Invite:
    given = _hashed(token)
    for one, kept in links:
        if hmac.compare_digest(kept.encode(), given.encode()) and not one.expired:
            return one
    raise NotFoundError(
        "This link does not work: it was used, has ended, or was replaced.",
        remedy="Ask the lead for a new one.",
    )


def _all(values: dict[str, Any]) -> list[tuple[Invite, str]]:
    return [
        (
            Invite(str(name), str(item.get("role")), float(item.get("until", 0)), str(item.get("by", ""))),
            str(item.get("token", "")),
        )
        for name, item in _items(values).items()
        if isinstance(item, dict)
    ]  # fmt: skip


def _items(values: dict[str, Any]) -> dict[Any, Any]:
    invites = values.get("invites")
    return invites if isinstance(invites, dict) else {}


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
