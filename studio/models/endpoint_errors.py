"""What goes wrong with an endpoint, as sentences: what happened, where, what to do."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from studio.core.errors import StudioError
from studio.core.logs import HIDDEN, discreet

Kind = Literal[
    "down", "host", "tls", "timeout", "key", "model", "images", "busy", "moved", "no answer",
    "refused", "too long", "nonsense",
]  # fmt: skip
LONGEST_QUOTE = 240
NAMED_MODELS = 12
_ABOUT_IMAGES = re.compile(r"image|vision|multi-?modal|mmproj", re.IGNORECASE)
_NOT = re.compile(
    r"\bnot\b|n't|\bno\b|\bonly\b|unsupported|missing|unknown|at most 0|invalid content type",
    re.IGNORECASE,
)


class EndpointError(StudioError):
    """An endpoint gave no answer.

    Attributes:
        kind: What is wrong.
        of_request: Whether it is about this one question; the endpoint may answer others.
    """

    def __init__(
        self, kind: Kind, message: str, *, remedy: str = "", of_request: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy, field="endpoint")
        self.kind: Kind = kind
        self.of_request = of_request


def network_error(error: httpx.TransportError, url: str, seconds: float) -> EndpointError:
    """Say why no answer came over the network."""
    host = urlsplit(url).netloc
    causes = list(_causes(error))
    if isinstance(error, httpx.TimeoutException):
        return timeout_error(url, seconds)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return EndpointError(
            "host",
            f"There is no host {urlsplit(url).hostname}, or this machine has no network.",
            remedy="Check the address. The studio asks it directly, never through a proxy.",
        )
    reasons = [cause for cause in causes if isinstance(cause, ssl.SSLError)]
    if reasons:
        why = getattr(reasons[-1], "verify_message", "") or getattr(reasons[-1], "reason", "no TLS")
        return EndpointError(
            "tls",
            f"No safe connection to {host}: {why}.",
            remedy="Check that it speaks https; a server of your own may be http://. Its "
            "certificate's issuer can be named in SSL_CERT_FILE.",
        )
    if isinstance(error, httpx.ConnectError):
        return EndpointError(
            "down",
            f"Nothing answers at {url}: the connection was refused or found no way.",
            remedy="Start the server, or check its address and port; then go on.",
        )
    return EndpointError(
        "down",
        f"The connection to {url} broke before the answer was complete.",
        remedy="Look at the log of the server; then go on.",
    )


def timeout_error(url: str, seconds: float) -> EndpointError:
    """Say that no whole answer came in time."""
    return EndpointError(
        "timeout",
        f"{url} gave no whole answer within {seconds:g} s.",
        remedy="It may still load its model, or be too busy: try again, or allow shorter answers.",
    )


def garbage_error(url: str, content: bytes, why: str = "") -> EndpointError:
    """Say that what came is no answer of such an endpoint."""
    told = " ".join(content[:200].decode("utf-8", "replace").split())[:60]
    shown = f" It begins: {told!r}." if told.strip() else " It is empty."
    return EndpointError(
        "nonsense",
        f"What came from {url} is no chat completion{f' ({why})' if why else ''}.{discreet(shown)}",
        remedy="Check that the address is that of an OpenAI-compatible server, up to /v1.",
    )


def status_error(
    response: httpx.Response, content: bytes, *, key_from: str, key: str, images: bool
) -> EndpointError:
    """Say what a server means that refuses; `not_there_error` is for 404."""
    url, status = str(response.request.url), response.status_code
    said = quoted(content, key)
    if status in (401, 403):
        what, remedy = _key_words(url, status, key_from)
        return EndpointError("key", what, remedy=remedy)
    if images and not_for_images(status, content):
        return EndpointError(
            "images",
            f"The model at {url} takes no images{said}.",
            remedy="Choose a vision-language model there, or rows without images.",
        )
    if 300 <= status < 400:
        return moved_error(response)
    if status == 429 or status >= 500:
        return EndpointError(
            "busy",
            f"{url} answers with error {status}, also when asked again{said}.",
            remedy="It is too busy or at fault: look at its log or its limits, then go on.",
        )
    return EndpointError(
        "refused",
        f"{url} refuses the question (error {status}){said}.",
        remedy="Often it is too long for the model, or has more images than it takes.",
        of_request=True,
    )


def not_for_images(status: int, content: bytes) -> bool:
    """Return whether a refusal says that the model takes no images."""
    said = quoted(content, "")
    fits = status in (400, 404, 415, 422, 500, 501)
    return fits and bool(_ABOUT_IMAGES.search(said) and _NOT.search(said))


def moved_error(response: httpx.Response) -> EndpointError:
    """Say where a server sends the studio, which does not go there by itself."""
    url = str(response.request.url)
    target = urlsplit(response.headers.get("location", ""))
    where = f"{target.scheme}://{target.hostname}" if target.hostname else "another address"
    return EndpointError(
        "moved",
        f"{url} sends requests on to {where}; questions and keys are never sent elsewhere.",
        remedy="If you trust it, give that address yourself.",
    )


def not_there_error(
    url: str, model: str, offered: Sequence[str] | None, content: bytes, key: str
) -> EndpointError:
    """Say what a 404 means: another model, or another path."""
    if offered is None:
        return EndpointError(
            "model",
            f"There is no model {model!r} at {url}, or no such path{quoted(content, key)}.",
            remedy="Give the address up to /v1, for example http://localhost:8000/v1.",
        )
    names = ", ".join(offered[:NAMED_MODELS]) + (" …" if len(offered) > NAMED_MODELS else "")
    return EndpointError(
        "model",
        f"There is no model {model!r} at {url}.",
        remedy=f"It offers: {names or 'none; load one there'}.",
    )


def quoted(content: bytes, key: str) -> str:
    """Return what a server says of an error, as the end of a sentence: `: "…"`; or nothing."""
    text = " ".join(_message(content).split())
    if key:
        text = text.replace(key, HIDDEN)
    text = discreet(text)
    if len(text) > LONGEST_QUOTE:
        text = f"{text[:LONGEST_QUOTE]}…"
    return f': "{text.rstrip(".")}"' if text else ""


def _key_words(url: str, status: int, key_from: str) -> tuple[str, str]:
    """What happened, and what to do."""
    if not key_from:
        what = f"{url} wants a key (error {status})."
        return what, "Put it in an environment variable and give that variable's name."
    return (
        f"{url} does not take the key in {key_from} (error {status}).",
        f"Check what the environment variable {key_from} holds, and that the key may use the model.",
    )


def _message(content: bytes) -> str:
    try:
        values: Any = json.loads(content)
    except (ValueError, RecursionError):
        text = content[:2000].decode("utf-8", "replace")
        return "" if "<" in text[:100] else text
    for name in ("error", "message", "detail"):
        if isinstance(values, dict) and values.get(name):
            values = values[name]
    return values if isinstance(values, str) else json.dumps(values)[:2000]


def _causes(error: BaseException) -> Iterator[BaseException]:
    known: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in known:
            known.append(one)
            yield one
            waiting += [one.__cause__, one.__context__]
