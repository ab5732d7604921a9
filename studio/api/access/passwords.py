"""Passwords: how they are hashed, which are refused, and how many are checked at once.

The rules are those of NIST SP 800-63B: a shortest length, a list of the worst, the person's own
name, and nothing about capitals or signs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from studio.core.errors import BusyError, InputError
from studio.core.paths import COMMON_PASSWORDS

SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
SHORTEST, LONGEST = 10, 1024
FEWEST_DIFFERENT = 5
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertzuiopasdfghjklyxcvbnm",
        "qwertyuiopasdfghjklzxcvbnm")  # fmt: skip
AT_ONCE, WAITING, WAITING_KNOWN = 2, 16, 16
DUMMY = f"scrypt${'00' * 16}${'00' * 32}"


def check_password(name: str, password: str) -> None:
    """Refuse a password that is guessed soon. Raises InputError."""
    if problem := _problem(name, password):
        raise InputError(
            problem, remedy="Three or four unrelated words make a good one.",
            field="password",
        )  # fmt: skip


def _problem(name: str, password: str) -> str:
    if len(password) < SHORTEST:
        return f"The password is too short: it needs {SHORTEST} characters or more."
    if len(password) > LONGEST:
        return f"The password is longer than {LONGEST} characters."
    plain = password.casefold()
    if len(set(plain)) < FEWEST_DIFFERENT:
        return "The password repeats a few characters."
    without_name = plain.replace(name.casefold(), "") if len(name) > 2 else plain
    if without_name != plain and len(without_name.strip(" .-_!0123456789")) < 6:
        return "The password is little more than the name."
    if _is_common(plain) or _is_common(without_name):
        return "This password is one of the first that are tried."
    return ""


def _is_common(plain: str) -> bool:
    """Whether it is on the list, or along the keyboard; also with digits or signs after it."""
    word = re.sub(r"[\W_\d]+$", "", plain)
    if plain in _common() or (len(word) > 3 and word in _common()):
        return True
    letters = re.sub(r"[\W_]", "", plain)
    if any(_is_repeated(text) for text in (word, letters, re.sub(r"\d", "", letters))):
        return True
    return bool(letters) and any(letters in run or letters[::-1] in run for run in RUNS)


def _is_repeated(text: str) -> bool:
    """Return whether it is a word of the list several times."""
    found = re.fullmatch(r"(.+?)\1+", text)
    return found is not None and (
        found[1] in _common() or found[1].rstrip("0123456789") in _common()
    )


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON_PASSWORDS.read_text(encoding="utf-8").split())


def new_hash(password: str) -> str:
    """Return what is kept of a password."""
    return _hash(password, secrets.token_bytes(16))


def fits(password: str, stored: str) -> bool:
    """Return whether this is the password of a hash."""
    salt = bytes.fromhex(stored.split("$")[1])
    return hmac.compare_digest(_hash(password, salt), stored)


def _hash(password: str, salt: bytes) -> str:
    digest = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)
    return f"scrypt${salt.hex()}${digest.hex()}"


class HashPool:
    """Hashes a few passwords at a time in threads of its own.

    However many log in at once, pages are answered meanwhile, and the memory it takes is bounded.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "password")
        self._waiting = {True: 0, False: 0}

    async def run(self, work, *arguments, known: bool = False):
        """`work(*arguments)` in a thread.

        Args:
            known: Somebody who has logged in here before; a flood of strangers takes no place of theirs.

        Raises:
            BusyError: Too many wait already.
        """
        if self._waiting[known] >= (WAITING_KNOWN if known else WAITING):
            raise BusyError(
                "Many people are logging in at this moment.",
                remedy="Nothing is wrong with your password; try again in a few seconds.",
            )
        self._waiting[known] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting[known] -= 1
