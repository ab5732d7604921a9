"""Accounts in a YAML file, a login page, and a signed cookie; no password is kept, only its hash.

    python -m studio.ui.auth accounts.yaml ana --role annotator     # asks for the password
    python -m studio.ui.auth accounts.yaml ana --remove

A running studio reads the file again when it has changed. A cookie is signed with a key of the file and with the account's hash, so that it outlives a
restart, and dies with a changed password.
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import hmac
import re
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from studio.errors import InputError, NotFoundError, StudioError
from studio.paths import write_atomic

Role = Literal["lead", "annotator"]
ROLES = ("lead", "annotator")
COOKIE = "studio_session"
SESSION_SECONDS = 7 * 86_400
SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
SHORTEST_PASSWORD = 10
ATTEMPTS, WINDOW_SECONDS = 6, 300.0
MOST_TRACKED = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Account:
    """Somebody who may log in."""

    name: str
    role: Role
    password: str = field(repr=False)


@dataclass
class Accounts:
    """The accounts of one file, read again when it has changed."""

    by_name: dict[str, Account]
    key: bytes = field(repr=False)
    path: Path | None = field(default=None, repr=False)
    _failures: dict[str, list[float]] = field(default_factory=dict, repr=False)
    _seen: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def load(cls, path: Path) -> Accounts:
        """Read the file.

        Raises:
            NotFoundError: It is not there.
            InputError: It holds no usable account.
        """
        seen = _stamp(path)
        values = _read(path)
        users = values.get("users")
        if not isinstance(users, dict) or not users:
            raise InputError(f"{path} has no users.", remedy=f"Add one: {_command(path)}")
        accounts = {name: _account(path, name, item) for name, item in users.items()}
        if not any(account.role == "lead" for account in accounts.values()):
            raise InputError(f"{path} has no lead.", remedy="Give one account the role lead.")
        key = str(values.get("key") or secrets.token_hex(32)).encode()
        return cls(accounts, key, path, _seen=seen)

    def refresh(self) -> None:
        """Take over what was written to the file since; one that cannot be used changes nothing."""
        if self.path is None or (seen := _stamp(self.path)) == self._seen:
            return
        self._seen = seen
        try:
            fresh = Accounts.load(self.path)
        except StudioError as error:
            sys.stderr.write(f"The accounts stay as they were: {error}\n")
            return
        self.by_name, self.key = fresh.by_name, fresh.key

    def check(self, name: str, password: str, client: str) -> Account | None:
        """The account, when name and password fit; takes the same time for an unknown name.

        Raises:
            InputError: Too many failed attempts for this name or from this client.
        """
        self.refresh()
        for origin in (f"name {name}", f"client {client}"):
            if len(self._recent(origin)) >= ATTEMPTS:
                raise InputError("Too many attempts.", remedy="Wait five minutes.")
        account = self.by_name.get(name)
        fits = _fits(password, account.password if account else _DUMMY)
        if account is not None and fits:
            self._failures.pop(f"name {name}", None)
            return account
        for origin in (f"name {name}", f"client {client}"):
            self._note_failure(origin)
        return None

    def cookie(self, account: Account) -> str:
        """A cookie that proves who this is, for a week."""
        payload = f"{account.name}|{int(time.time()) + SESSION_SECONDS}"
        return f"{payload}|{self._sign(payload, account)}"

    def of_cookie(self, cookie: str | None) -> Account | None:
        """Whose cookie this is; None when it is forged, stale or of nobody known."""
        payload, _, signature = (cookie or "").rpartition("|")
        name, _, until = payload.partition("|")
        self.refresh()
        account = self.account(name)
        if account is None or not until.isdecimal() or int(until) < time.time():
            return None
        good = hmac.compare_digest(signature.encode(), self._sign(payload, account).encode())
        return account if good else None

    def account(self, name: str) -> Account | None:
        """The account called `name`, if there is one."""
        return self.by_name.get(name)

    def of_request(self, request: Any) -> Account | None:
        """Who sent a request (FastAPI's or Gradio's)."""
        return self.of_cookie(request.cookies.get(COOKIE))

    def _sign(self, payload: str, account: Account) -> str:
        message = f"{payload}|{account.password}".encode()
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()

    def _recent(self, origin: str) -> list[float]:
        since = time.monotonic() - WINDOW_SECONDS
        return [when for when in self._failures.get(origin, []) if when > since]

    def _note_failure(self, origin: str) -> None:
        while len(self._failures) >= MOST_TRACKED:
            self._failures.pop(next(iter(self._failures)))
        self._failures[origin] = [*self._recent(origin), time.monotonic()]


def add_user(path: Path, name: str, role: str, password: str) -> None:
    """Add an account to the file, or give it a new password; makes the file when it is not there.

    Raises:
        InputError: The name, the role or the password cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} cannot be a name.", remedy="Use letters, digits and . _ @ -")
    if role not in ROLES:
        raise InputError(f"There is no role {role!r}.", remedy="Choose lead or annotator.")
    if len(password) < SHORTEST_PASSWORD:
        raise InputError(
            "The password is too short.", remedy=f"Use {SHORTEST_PASSWORD} characters or more."
        )
    values = _read(path) if path.exists() else {}
    values.setdefault("key", secrets.token_hex(32))
    users = values.setdefault("users", {})
    users[name] = {"role": role, "password": _hash(password, secrets.token_bytes(16))}
    write_atomic(path, yaml.safe_dump(values, sort_keys=False), private=True)


def remove_user(path: Path, name: str) -> None:
    """Take an account out of the file; what its owner labelled stays.

    Raises:
        InputError: There is no such account, or it is the only lead.
    """
    values = _read(path)
    users = values.get("users") or {}
    if name not in users:
        raise InputError(f"{path} has no account {name!r}.", remedy="Check the name.")
    del users[name]
    if not any(isinstance(item, dict) and item.get("role") == "lead" for item in users.values()):
        raise InputError(f"{name} is the only lead.", remedy="Make another one first.")
    write_atomic(path, yaml.safe_dump(values, sort_keys=False), private=True)


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes when the file does; empty without one."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no {path}.", remedy=f"Make it: {_command(path)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is not a mapping.", remedy="It needs the key: users.")
    return values


def _account(path: Path, name: Any, item: Any) -> Account:
    values = item if isinstance(item, dict) else {}
    password, role = str(values.get("password", "")), values.get("role")
    if role not in ROLES or not password.startswith("scrypt$") or password.count("$") != 2:
        raise InputError(
            f"{path}: the account {name!r} needs a role (lead or annotator) and a scrypt hash.",
            remedy=f"Write it with: {_command(path)}",
        )
    return Account(str(name), role, password)


def _command(path: Path) -> str:
    return f"python -m studio.ui.auth {path} NAME --role lead"


def _hash(password: str, salt: bytes) -> str:
    digest = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)
    return f"scrypt${salt.hex()}${digest.hex()}"


def _fits(password: str, stored: str) -> bool:
    salt = bytes.fromhex(stored.split("$")[1])
    return hmac.compare_digest(_hash(password, salt), stored)


_DUMMY = f"scrypt${'00' * 16}${'00' * 32}"


def main(arguments: list[str] | None = None) -> int:
    """Add, change or remove an account from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studio.ui.auth",
        description="Add an account, give it a new password, or remove it.",
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("name")
    parser.add_argument("--role", choices=ROLES, default="annotator")
    parser.add_argument("--remove", action="store_true", help="Take the account away.")
    flags = parser.parse_args(arguments)
    try:
        if flags.remove:
            remove_user(flags.file, flags.name)
        else:
            add_user(flags.file, flags.name, flags.role, getpass.getpass("Password: "))
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    done = "is removed" if flags.remove else f"may log in as {flags.role}"
    sys.stdout.write(f"{flags.name} {done}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
