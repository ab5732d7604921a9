"""Who may ask for what: every address of the studio, the role it needs, and how much it takes.

What is not listed is closed, to everybody: a new version of Gradio may bring routes nobody here
has thought about. A test walks through all routes of the application and fails at such a one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

ANNOTATE = "/annotate"
HOME = {"lead": "/", "annotator": f"{ANNOTATE}/"}
KB, MB = 1 << 10, 1 << 20
NO_BODY, SMALL, EVENT = 0, 64 * KB, 4 * MB


class Who(Enum):
    """Whom an address answers."""

    ANYBODY = "anybody"
    MEMBER = "whoever is logged in"
    LEAD = "leads"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Rule:
    """How requests to some addresses are treated.

    Attributes:
        limit: Bytes that a request's body may have.
        upload: Whether it brings files; these have limits of their own (`studio.api.uploads`).
    """

    who: Who
    limit: int = NO_BODY
    upload: bool = False


_READ, _WRITE = ("GET", "HEAD"), ("POST",)
CLOSED = Rule(Who.NOBODY)

_LOGIN = (
    (_READ, r"/health|/favicon\.ico|/robots\.txt", Rule(Who.ANYBODY)),
    (_READ, r"/login(/access\.css|/hub|/callback)?|/invite/[\w-]{20,100}", Rule(Who.ANYBODY)),
    (_WRITE, r"/login|/invite/[\w-]{20,100}", Rule(Who.ANYBODY, 8 * KB)),
    (_READ, r"/logout", Rule(Who.ANYBODY)),  # asks, unless a link of the studio is followed
    (_WRITE, r"/logout", Rule(Who.ANYBODY, 8 * KB)),
    (_READ, r"/account", Rule(Who.MEMBER)),
    (_WRITE, r"/account/(password|end|end-all)", Rule(Who.MEMBER, 8 * KB)),
    (_READ, r"/accounts", Rule(Who.LEAD)),
    (_WRITE, r"/accounts/(invite|withdraw|reset|role|remove|end-all)", Rule(Who.LEAD, 8 * KB)),
)
_STUDIO = (
    (
        _READ,
        r"/studio/(annotate/.+|images/.+|thumbs/.+|pulse|web/\w+/[\w/-]+\.js)",
        Rule(Who.MEMBER),
    ),
    (_WRITE, r"/studio/annotate/.+", Rule(Who.MEMBER, SMALL)),
    (_READ, r"/studio/.+", Rule(Who.LEAD)),
    (_WRITE, r"/studio/uploads/[0-9a-f]{16}/pieces", Rule(Who.LEAD, upload=True)),
    (_WRITE, r"/studio/.+", Rule(Who.LEAD, SMALL)),
)
# Gradio's files, which are the same for everybody.
_FILES = (
    (
        _READ,
        r"/(assets|static)/.+|/theme\.css|/gradio_api/theme\.css|/manifest\.json|/pwa_icon(/\w+)?",
        Rule(Who.MEMBER),
    ),
)
# Its page and its events.
_EVENTS = r"/gradio_api/(queue/join|run/predict/?|cancel|reset/?)"
_PAGE = (
    (_READ, r"/|/config/?", None),
    (_READ, r"/gradio_api/(queue/data|heartbeat/[^/]+|startup-events|app_id)", None),
)
_LEAD = (
    (_WRITE, r"/gradio_api/upload", Rule(Who.LEAD, upload=True)),
    (_READ, r"/gradio_api/(upload_progress|file=.+)", Rule(Who.LEAD)),
)


def _compiled(rules, who: Who) -> list[tuple[tuple[str, ...], re.Pattern[str], Rule]]:
    return [
        (
            methods,
            re.compile(pattern),
            rule if isinstance(rule, Rule) else Rule(who, rule or NO_BODY),
        )
        for methods, pattern, rule in rules
    ]


_MAIN = _compiled((*_LOGIN, *_STUDIO, *_FILES, *_PAGE, (_WRITE, _EVENTS, EVENT), *_LEAD), Who.LEAD)
# Gradio keeps what an event of two thousand sessions has to say until it is fetched, and an error
# repeats what was sent: an annotator's page sends little.
_ANNOTATORS = _compiled((*_STUDIO, *_FILES, *_PAGE, (_WRITE, _EVENTS, SMALL)), Who.MEMBER)


def rule_for(method: str, path: str) -> Rule:
    """Return the rule of a request; `CLOSED` when there is none."""
    rules = _MAIN
    if path == ANNOTATE or path.startswith(f"{ANNOTATE}/"):
        rules, path = _ANNOTATORS, path[len(ANNOTATE) :] or "/"
    for methods, pattern, rule in rules:
        if method in methods and pattern.fullmatch(path):
            return rule
    return CLOSED
