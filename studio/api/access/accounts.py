"""Accounts in a YAML file; no password is kept, only its hash.

A running studio reads the file again when it has changed. A changed password, and a removed
account, end the sessions they had.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock, Timeout

from studio.api.access import passwords
from studio.api.access.login_throttle import Throttle
from studio.api.access.sessions import SESSION_SECONDS, Session, Sessions
from studio.config import yaml_text
from studio.core.errors import BusyError, ConflictError, InputError, NotFoundError, StudioError
from studio.core.paths import write_atomic

Role = Literal["lead", "annotator"]
ROLES = ("lead", "annotator")
COOKIE, DEVICE = "studio_session", "studio_device"
DEVICE_SECONDS = 365 * 86_400
LOCK_SECONDS = 10
MOST_BYTES = 8 << 20  # of the file
MOST_DIGITS = 12  # of a time in a cookie; Python reads no number without an end
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

__all__ = ["COOKIE", "SESSION_SECONDS", "Account", "Accounts", "add_user", "remove_user"]


@dataclass(frozen=True)
class Account:
    """Somebody who may log in.

    `id` is drawn when the account is made: one that is removed and made again under the same name
    is another one. It is empty in files of before, and of accounts of the hub.
    """

    name: str
    role: Role
    password: str = field(repr=False)
    id: str = ""


@dataclass
class Accounts:
    """The accounts of one file, read again when it has changed; and who of them is logged in."""

    by_name: dict[str, Account]
    key: bytes = field(repr=False)
    path: Path | None = field(default=None, repr=False)
    sessions: Sessions = field(default_factory=Sessions, repr=False)
    throttle: Throttle = field(default_factory=Throttle, repr=False)
    pool: passwords.HashPool = field(default_factory=passwords.HashPool, repr=False)
    _seen: tuple[int, ...] = field(default=(), repr=False)
    in_a_frame = False  # whether its cookies must work in a page that the hub shows

    @classmethod
    def load(cls, path: Path) -> Accounts:
        """Read the file.

        Raises:
            NotFoundError: It is not there.
            InputError: It holds no usable account.
        """
        seen = stamp(path)
        values = read_accounts(path)
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
        if self.path is None or (seen := stamp(self.path)) == self._seen:
            return
        self._seen = seen
        try:
            fresh = Accounts.load(self.path)
        except StudioError as error:
            sys.stderr.write(f"The accounts stay as they were: {error}\n")
            return
        self.by_name, self.key = fresh.by_name, fresh.key

    def check(self, name: str, password: str, client: str, device: str = "") -> Account | None:
        """Return the account, when name and password fit.

        Args:
            device: The cookie of a browser that has logged in before.

        Raises:
            InputError: Too many failed attempts; it says how long to wait.
        """
        self.attempt(name, client, device)
        account = self.verify(name, password)
        if account is not None:
            self.succeeded(name, client, device)
        return account

    def attempt(self, name: str, client: str, device: str = "") -> None:
        """Count an attempt to log in. Raises InputError when it comes too soon."""
        _check_wait(self.throttle.attempt(name, client, self.known_device(name, device)))

    async def confirm(self, session: Session, password: str) -> Account:
        """Check the password of somebody who is logged in, once more; their account.

        It counts for the session alone: it makes nobody wait who logs in, and no guess from
        elsewhere makes it wait.

        Raises:
            InputError: It is another one, or too many were tried in this session.
            BusyError: Too many passwords are being checked; the attempt does not count.
        """
        counted = {"name": session.name, "address": "", "session": session.id}
        _check_wait(self.throttle.attempt(**counted))
        try:
            account = await self.pool.run(self.verify, session.name, password, known=True)
        except BusyError:
            self.throttle.take_back(**counted)
            raise
        if account is None:
            raise InputError("This is not your password.", remedy="Type it again.", field="current")
        self.throttle.succeeded(**counted)
        return account

    def wrong_link(self, client: str) -> None:
        """Count an invitation link that nobody was given. Raises BusyError for too many."""
        wait = self.throttle.wrong_link(client)
        if wait > 0:
            raise BusyError(
                "Too many links that do not work came from your network.",
                remedy=f"Wait {_duration(wait)}, or ask the lead for a new link.",
            )

    def verify(self, name: str, password: str) -> Account | None:
        """The account, when name and password fit; takes the same time for an unknown name."""
        self.refresh()
        account = self.by_name.get(name)
        fits = passwords.fits(password, account.password if account else passwords.DUMMY)
        return account if fits else None

    def succeeded(self, name: str, client: str, device: str = "") -> None:
        """The attempt counted last was no guess."""
        self.throttle.succeeded(name, client, self.known_device(name, device))

    def cookie(self, account: Account, browser: str = "", address: str = "") -> str:
        """Return a cookie that proves who this is, for a week or until they log out."""
        return self.sessions.begin(account.name, self.proof(account), browser, address)

    def of_cookie(self, cookie: str | None) -> Account | None:
        """Whose cookie this is; None when it is forged, stale, ended or of nobody known."""
        session = self.sessions.find(cookie or "")
        if session is None:
            return None
        self.refresh()
        account = self.account(session.name)
        if account is None or not hmac.compare_digest(session.proof, self.proof(account)):
            return None
        return account

    def account(self, name: str) -> Account | None:
        """Return the account called `name`, if there is one."""
        return self.by_name.get(name)

    def of_request(self, request: Any) -> Account | None:
        """Return who sent a request (FastAPI's or Gradio's)."""
        return self.of_cookie(request.cookies.get(COOKIE))

    def session_of(self, request: Any) -> Session | None:
        """Return the session a request belongs to."""
        return self.sessions.find(request.cookies.get(COOKIE) or "")

    def device_cookie(self, name: str) -> str:
        """Return what tells a browser in which `name` has logged in from a stranger's."""
        payload = f"{secrets.token_urlsafe(12)}|{int(time.time()) + DEVICE_SECONDS}"
        return f"{payload}|{self._sign(f'device|{name}|{payload}')}"

    def known_device(self, name: str, cookie: str) -> str:
        """Return the device of such a cookie; empty when it isn't one of `name`."""
        payload, _, signature = cookie.rpartition("|")
        device, _, until = payload.partition("|")
        if len(until) > MOST_DIGITS or not until.isdecimal() or int(until) < time.time():
            return ""
        good = self._sign(f"device|{name}|{payload}")
        return device if hmac.compare_digest(signature.encode(), good.encode()) else ""

    def proof(self, account: Account) -> str:
        """Changes with the account's password, which ends its sessions."""
        return hashlib.sha256(f"{account.name}|{account.password}".encode()).hexdigest()

    def _sign(self, message: str) -> str:
        return hmac.new(self.key, message.encode(), hashlib.sha256).hexdigest()


def _check_wait(seconds: float) -> None:
    if seconds > 0:
        raise InputError("Too many attempts.", remedy=f"Wait {_duration(seconds)}, then try again.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes"


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """Open the content of an accounts file, written when the block ends; one writer at a time.

    Raises:
        NotFoundError: There is no such file.
        StudioError: It cannot be written.
    """
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
            values = read_accounts(path)
            values.setdefault("users", {})
            yield values
            write_atomic(path, yaml.safe_dump(values, sort_keys=False), private=True)
    except Timeout:
        raise BusyError(
            "The accounts are being changed by another program.", remedy="Try again."
        ) from None
    except OSError as error:
        raise StudioError(
            f"The accounts could not be written to {path}: {error.strerror}.",
            remedy="See that this file and its folder can be written.",
        ) from error


def add_user(path: Path, name: str, role: str, password: str) -> None:
    """Add an account to the file, or give it a new password; makes the file when it is not there.

    Raises:
        InputError: The name, the role or the password cannot be used.
        ConflictError: The account would be new, and another's name looks the same.
    """
    check_name(name)
    check_role(role)
    passwords.check_password(name, password)
    kept = passwords.new_hash(password)
    if not path.exists():
        first = {"key": secrets.token_hex(32), "users": {}}
        write_atomic(path, yaml.safe_dump(first, sort_keys=False), private=True)
    with changing(path) as values:
        check_free(name, values["users"], "account")
        values.setdefault("key", secrets.token_hex(32))
        there = values["users"].get(name)
        user = there if isinstance(there, dict) else new_user(role)
        values["users"][name] = user | {"role": role, "password": kept}
        values.get("invites", {}).pop(name, None)


def new_user(role: str) -> dict[str, Any]:
    """Return what the file holds of a new account, but for its password."""
    return {"role": role, "id": f"a{secrets.token_hex(8)}"}


def set_password(path: Path, account: Account, password: str) -> None:
    """Give an account another password in place of the one it has now.

    Raises:
        NotFoundError: There is no such account any more.
        ConflictError: It has been given another password meanwhile, by a reset for example.
        InputError: The password cannot be used.
    """
    passwords.check_password(account.name, password)
    kept = passwords.new_hash(password)
    with changing(path) as values:
        user = _user(path, values, account.name)
        if user.get("password") != account.password:
            raise ConflictError(
                "Your password was changed elsewhere meanwhile.", remedy="Log in again."
            )
        user["password"] = kept
        values.get("invites", {}).pop(account.name, None)


def set_role(path: Path, name: str, role: str) -> None:
    """Give an account another role. Raises InputError for the only lead, NotFoundError."""
    check_role(role)
    with changing(path) as values:
        _user(path, values, name)["role"] = role
        _check_leads(values, name)
        if role != "lead":
            _end_links_of(values, name)


def remove_user(path: Path, name: str) -> None:
    """Take an account out of the file; what its owner labelled stays.

    Raises:
        InputError: There is no such account, or it is the only lead.
    """
    with changing(path) as values:
        _user(path, values, name)
        del values["users"][name]
        values.get("invites", {}).pop(name, None)
        _check_leads(values, name)
        _end_links_of(values, name)


def _end_links_of(values: dict[str, Any], lead: str) -> None:
    """End the links that somebody has made who is a lead no more, and who may still hold them."""
    for name, item in list(values.get("invites", {}).items()):
        if isinstance(item, dict) and item.get("by") == lead:
            del values["invites"][name]


def check_name(name: str) -> None:
    """Raises InputError for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a name.", remedy="Use letters, digits and . _ @ -", field="name"
        )


def check_free(name: str, taken: Iterable[Any], kind: str) -> None:
    """Refuse a new name that people would take for another's. Raises ConflictError.

    Args:
        taken: Names there are; `name` itself among them is not new.
        kind: What they belong to: "account", "invitation".
    """
    names = [str(one) for one in taken]
    if name in names:
        return
    like = next((one for one in names if _looks(one) == _looks(name)), None)
    if like is not None:
        raise ConflictError(
            f"There is an {kind} {like!r} already, and {name!r} looks the same.",
            remedy="Choose a name that differs in more than capital letters.",
            field="name",
        )


def _looks(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def check_role(role: str) -> None:
    """Raises InputError for what is no role."""
    if role not in ROLES:
        raise InputError(
            f"There is no role {role!r}.", remedy="Choose lead or annotator.", field="role"
        )


def _user(path: Path, values: dict[str, Any], name: str) -> dict[str, Any]:
    user = values["users"].get(name)
    if not isinstance(user, dict):
        raise NotFoundError(f"{path} has no account {name!r}.", remedy="Check the name.")
    return user


def _check_leads(values: dict[str, Any], name: str) -> None:
    users = values["users"].values()
    if not any(isinstance(item, dict) and item.get("role") == "lead" for item in users):
        raise InputError(f"{name} is the only lead.", remedy="Make another one first.")


def stamp(path: Path) -> tuple[int, ...]:
    """Changes when the file does; empty without one."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_accounts(path: Path) -> dict[str, Any]:
    """Return what an accounts file holds. Raises NotFoundError, InputError."""
    try:
        values = yaml_text.read(path, MOST_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"There is no {path}.", remedy=f"Make it: {_command(path)}") from None
    except yaml_text.YamlError as error:
        # Without the lines themselves: they hold hashes.
        mark = getattr(error.__cause__, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path} is not valid YAML{line}.", remedy="Correct it there.") from None
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
    return Account(str(name), role, password, str(values.get("id") or ""))


def _command(path: Path) -> str:
    return f"python -m studio accounts {path} NAME --role lead"
