"""What the first lines of a request say: who asks, for what, and how much will follow."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from studio.api.access.accounts import Account
from studio.api.access.host_names import is_own_origin
from studio.api.access.rules import SMALL, Rule
from studio.api.uploads import FRAMING, MAX_PERSON

NOBODY = "local"
RANGE = re.compile(rb"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")


@dataclass
class RequestHead:
    """A request before its body is read.

    Attributes:
        rule: Who may ask for its address, and how long its body may be.
        account: Who asks; None without logins, and for strangers.
    """

    scope: Scope
    rule: Rule
    account: Account | None = None

    def __post_init__(self) -> None:
        self.headers = Headers(scope=self.scope)

    @property
    def person(self) -> str:
        return self.account.name if self.account else NOBODY

    @property
    def limit(self) -> int:
        return MAX_PERSON + FRAMING if self.rule.upload else self.rule.limit

    @property
    def length(self) -> int | None:
        """Of the body; 0 also when it comes in pieces, None when it is no number."""
        said = self.headers.get("content-length", "0")
        return int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else None

    @property
    def is_short(self) -> bool:
        """Whether what is left to come may as well be let come."""
        pieces = "transfer-encoding" in self.headers
        return not pieces and (self.length or 0) <= SMALL

    @property
    def is_of_logins(self) -> bool:
        """Whether the address has a meaning only where there are logins."""
        first = self.scope["path"].split("/")[1]
        return first in ("login", "logout", "invite", "account", "accounts", "annotate")

    def is_own(self, site: str | None) -> bool:
        """Return whether a change comes from the studio's own page, or from no browser at all."""
        if site in ("same-origin", "none"):
            return True
        return is_own_origin(HTTPConnection(self.scope))


def opens_page(scope: Scope) -> bool:
    """Return whether a browser shows somebody what comes, as a page of its own or in a frame."""
    headers = Headers(scope=scope)
    shown = headers.get("sec-fetch-dest")
    if shown is None:  # over plain HTTP browsers do not say
        kinds = headers.get("accept", "")
        return scope["method"] != "HEAD" and kinds.startswith("text/html") and "xml" in kinds
    return scope["method"] != "HEAD" and shown in ("document", "iframe", "frame")


def without_odd_range(scope: Scope) -> Scope:
    """`scope` without ranges that Gradio cannot read: who asks for them gets the whole file."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"range" or RANGE.fullmatch(value)
    ]
    return scope if len(kept) == len(scope["headers"]) else {**scope, "headers": kept}
