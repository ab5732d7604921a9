"""A client of any OpenAI-compatible endpoint: vLLM, SGLang, Ollama, a hosted one.

client = EndpointClient(Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-VL-7B-Instruct"))
client.answer(row.prompt, images, sampling=EndpointSampling(max_new_tokens=64)).text
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import certifi
import httpx
from PIL import Image

from studio.core.errors import InputError, StudioError
from studio.data.schema import Message
from studio.models.chat_parts import chat_messages
from studio.models.endpoint_errors import (
    EndpointError,
    garbage_error,
    network_error,
    not_for_images,
    not_there_error,
    quoted,
    status_error,
    timeout_error,
)

logger = logging.getLogger(__name__)
FIELD = "endpoint"
TIMEOUT = 300.0
CONNECT_SECONDS = 10.0
MOST_BYTES = 8 * 2**20
"""Of one response."""
LONGEST_ANSWER = 100_000  # characters
RETRIES = 3
LONGEST_WAIT = 30.0
_NAME_OF_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_OPTIONAL = ("seed", "top_p", "temperature")


@dataclass(frozen=True)
class EndpointSampling:
    """How an endpoint chooses the next token; the defaults are greedy."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class EndpointAnswer:
    """One answer.

    Attributes:
        text: Without blanks at its ends; empty is an answer too.
        tokens: Tokens written; 0 where the endpoint does not say.
        cut: Whether it reached the longest length before it ended.
    """

    text: str
    tokens: int = 0
    cut: bool = False


@dataclass(frozen=True)
class Endpoint:
    """Where a model answers over HTTP.

    Attributes:
        url: Its address up to `/v1`, without credentials.
        model: The model's name there.
        key_from: Name of the environment variable that holds the key; empty for none. The key
            itself is read when it is sent, and kept nowhere.
    """

    url: str
    model: str
    key_from: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _checked_url(self.url))
        object.__setattr__(self, "model", self.model.strip())
        if not self.model or len(self.model) > 300 or not self.model.isprintable():
            raise InputError(
                "An endpoint needs the name of a model.",
                remedy=f"Name one that {self.url}/models lists.",
                field=FIELD,
            )
        if self.key_from and not _NAME_OF_VARIABLE.fullmatch(self.key_from):
            raise InputError(  # what was given may be the key itself: it is not repeated
                "The key is given as the name of an environment variable, in capitals.",
                remedy="Put the key into a variable, for example OPENAI_API_KEY, and give that name.",
                field="key_from",
            )
        if self.key_from.startswith("STUDIO_"):
            raise InputError(
                f"{self.key_from} is a setting of the studio's own and is sent nowhere.",
                remedy="Put the key into a variable of another name.",
                field="key_from",
            )

    @property
    def host(self) -> str:
        """The host with its port."""
        return urlsplit(self.url).netloc

    @property
    def leaves_machine(self) -> bool:
        """Whether what it is asked goes to another machine."""
        name = urlsplit(self.url).hostname or ""
        return name != "localhost" and not _is_loopback(name)

    def what_leaves(self, what: str = "Questions and images") -> str:
        """Say what is sent where."""
        if not self.leaves_machine:
            return f"{what} are sent to {self.host}, a server on this machine."
        plain = self.url.startswith("http:")
        open_ = " The connection is not encrypted." if plain else ""
        return f"{what} leave this machine: they are sent to {self.host}.{open_}"

    def key(self) -> str:
        """Read the key. Raises InputError when the variable is empty or holds no key."""
        if not self.key_from:
            return ""
        value = os.environ.get(self.key_from, "").strip()
        if value and value.isascii() and value.isprintable():
            return value
        what = "holds characters that no key has" if value else "is not set"
        raise InputError(
            f"The environment variable {self.key_from} {what}.",
            remedy=f"Set it where the studio is started, to the key of {self.host}.",
            field="key_from",
        )


class EndpointClient:
    """Asks an endpoint; may be shared by threads.

    Attributes:
        notes: What a reader should know of how the answers came, in sentences.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare to ask; nothing is sent.

        Args:
            timeout: Seconds for one question, with every time that it is asked again.
        """
        self.endpoint, self.timeout, self._retries, self._sleep = endpoint, timeout, retries, sleep
        self.notes: dict[str, None] = {}
        self._left_out: set[str] = set()
        self._length_name = "max_tokens"
        self._gives_many = True
        secure = endpoint.url.startswith("https:")
        # `trust_env` would send questions through proxies, and passwords of a .netrc along.
        self._http = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            verify=_certificates() if secure else False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
        )

    def __enter__(self) -> EndpointClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def answer(
        self,
        messages: Sequence[Message],
        images: Sequence[Image.Image] = (),
        *,
        sampling: EndpointSampling | None = None,
    ) -> EndpointAnswer:
        """Return one answer to a conversation.

        Raises:
            EndpointError: There is none; it says whether another question may be answered.
            DataError: There are not as many images as places for them.
        """
        return self.answers(messages, images, 1, sampling=sampling)[0]

    def answers(
        self,
        messages: Sequence[Message],
        images: Sequence[Image.Image],
        count: int,
        *,
        sampling: EndpointSampling | None = None,
    ) -> list[EndpointAnswer]:
        """Return several answers, at once where the endpoint gives them so, else one by one.

        Raises:
            As `answer`.
        """
        sampling = sampling or EndpointSampling()
        body = {
            "model": self.endpoint.model,
            "messages": chat_messages(messages, images),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": False,
        }
        found: list[EndpointAnswer] = []
        while len(found) < count:
            wanted = count - len(found) if self._gives_many else 1
            seed = None if sampling.seed is None else sampling.seed + len(found)
            fresh = self._ask(body, wanted, seed, sampling.max_new_tokens, bool(images))
            if len(fresh) < wanted:
                self._gives_many = False
            found += fresh[:wanted]
        return found

    def models(self) -> list[str]:
        """Return the names of the models that the endpoint offers. Raises EndpointError."""
        url = f"{self.endpoint.url}/models"
        response, content = self._sent("GET", url, None, time.monotonic() + self.timeout)
        if response.status_code != 200:
            raise self._refusal(response, content, images=False)
        listed = _json(url, content).get("data")
        if not isinstance(listed, list):
            raise garbage_error(url, content, "no list of models")
        return [str(one["id"]) for one in listed if isinstance(one, dict) and "id" in one]

    def _ask(
        self, body: dict[str, Any], count: int, seed: int | None, longest: int, images: bool
    ) -> list[EndpointAnswer]:
        url = f"{self.endpoint.url}/chat/completions"
        full = {**body, "n": count, "seed": seed}
        deadline = time.monotonic() + self.timeout
        while True:
            sent = {k: v for k, v in full.items() if v is not None and k not in self._left_out}
            if sent["n"] == 1:
                del sent["n"]
            response, content = self._patiently(
                url, {**sent, self._length_name: longest}, deadline, images
            )
            if response.status_code == 200:
                return _read_answers(url, content, count)
            if not self._adapted(response.status_code, content, full):
                raise self._refusal(response, content, images=images)

    def _adapted(self, status: int, content: bytes, full: dict[str, Any]) -> bool:
        """Whether the endpoint refuses a setting that can be named differently or left out."""
        said = quoted(content, "").lower()
        if status not in (400, 422):
            return False
        if "max_completion_tokens" in said and self._length_name == "max_tokens":
            self._length_name = "max_completion_tokens"
            return True
        if full["n"] > 1 and re.search(r"\bn\b", said):
            full["n"], self._gives_many = 1, False
            return True
        for name in _OPTIONAL:
            if name in said and name not in self._left_out:
                self._left_out.add(name)
                self.notes[f"{self.endpoint.host} does not take `{name}`: it was left out."] = None
                return True
        return False

    def _patiently(
        self, url: str, body: dict[str, Any], deadline: float, images: bool
    ) -> tuple[httpx.Response, bytes]:
        """Send it again, after growing pauses, while the endpoint is too busy."""
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                response, content = self._sent("POST", url, body, deadline)
            except EndpointError as error:
                if last or not isinstance(
                    error.__cause__, httpx.NetworkError | httpx.ProtocolError
                ):
                    raise
                if isinstance(error.__cause__, httpx.ConnectError):
                    raise
                pause = 2.0**attempt
            else:
                status = response.status_code
                again = status in (408, 429) or status >= 500
                if last or not again or (images and not_for_images(status, content)):
                    return response, content
                pause = _pause(response, attempt)
            if time.monotonic() + pause >= deadline:
                raise timeout_error(url, self.timeout)
            logger.info("%s is asked again in %.0f s.", url, pause)
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _sent(
        self, method: str, url: str, body: dict[str, Any] | None, deadline: float
    ) -> tuple[httpx.Response, bytes]:
        key = self.endpoint.key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        content = bytearray()
        try:
            with self._http.stream(method, url, json=body, headers=headers) as response:
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise _too_long(url, f"more than {MOST_BYTES >> 20} MB")
                    if time.monotonic() > deadline:
                        raise timeout_error(url, self.timeout)
        except httpx.TransportError as error:
            raise network_error(error, url, self.timeout) from error
        except httpx.InvalidURL as error:
            raise InputError(f"{url} is no address.", field=FIELD) from error
        return response, bytes(content)

    def _refusal(self, response: httpx.Response, content: bytes, *, images: bool) -> StudioError:
        endpoint, key = self.endpoint, self.endpoint.key()
        asked = str(response.request.url)
        wants_list = response.status_code == 404 and not asked.endswith("/models")
        if wants_list and not (images and not_for_images(404, content)):
            try:
                offered: list[str] | None = self.models()
            except EndpointError as error:
                logger.info("The models of %s cannot be listed: %s", endpoint.url, error)
                offered = None
            if offered is None or endpoint.model not in offered:
                return not_there_error(endpoint.url, endpoint.model, offered, content, key)
        return status_error(response, content, key_from=endpoint.key_from, key=key, images=images)


def _checked_url(url: str) -> str:
    """The address up to `/v1`, as it is asked and shown. Raises InputError."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or len(url) > 2000:
        raise InputError(
            "The address of an endpoint begins with http:// or https:// and names a host.",
            remedy="For example http://localhost:8000/v1.",
            field=FIELD,
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(  # whatever is there may be a password: it is not repeated
            f"The address of {host} has a password or options in it.",
            remedy="Give the plain address up to /v1; a key goes into an environment variable.",
            field=FIELD,
        )
    if _is_link_local(host):
        raise InputError(
            f"{host} is an address of the machine's own network services, never of a model.",
            field=FIELD,
        )
    path = re.sub(r"(/chat/completions|/models)?/*$", "", parts.path) or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False


def _certificates() -> ssl.SSLContext:
    """The machine's issuers (SSL_CERT_FILE, SSL_CERT_DIR) and the public ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _pause(response: httpx.Response, attempt: int) -> float:
    """Seconds until it is asked again: what the endpoint wishes, within bounds."""
    wish = response.headers.get("retry-after", "")
    return min(float(wish), LONGEST_WAIT) if wish.isdigit() else 2.0**attempt


def _json(url: str, content: bytes) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        why = "a stream, though none was asked for" if content.startswith(b"data:") else ""
        raise garbage_error(url, content, why or "no JSON") from error
    if not isinstance(values, dict):
        raise garbage_error(url, content, "no JSON object")
    return values


def _read_answers(url: str, content: bytes, count: int) -> list[EndpointAnswer]:
    values = _json(url, content)
    choices = values.get("choices")
    if choices == []:
        raise EndpointError(
            "no answer",
            f"{url} gave no answer to this question: its list of choices is empty.",
            remedy="It may filter what it is asked; ask another model, or leave the row out.",
            of_request=True,
        )
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise garbage_error(url, content, "no choices")
    usage = values.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    known = tokens if isinstance(tokens, int) and len(choices) == 1 else 0
    return [_read_answer(url, content, choice, known) for choice in choices[:count]]


def _joined(parts: list[Any]) -> str | bool:
    """The text of an answer in parts; False where one is no part, or says something else than text."""
    if not all(isinstance(one, dict) for one in parts):
        return False
    texts = [one.get("text", "") for one in parts]
    return "".join(texts) if all(isinstance(one, str) for one in texts) else False


def _read_answer(url: str, content: bytes, choice: dict[str, Any], tokens: int) -> EndpointAnswer:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise garbage_error(url, content, "a choice without a message")
    text = message.get("content")
    if isinstance(text, list):
        text = _joined(text)
    if text is None:
        text = message.get("refusal") or ""
    if not isinstance(text, str):
        raise garbage_error(url, content, "an answer that is no text")
    if len(text) > LONGEST_ANSWER:
        raise _too_long(url, f"{len(text):,} characters")
    # Half a character pair and NUL can be kept by no database.
    clean = text.encode("utf-8", "replace").decode().replace("\0", "")
    return EndpointAnswer(clean.strip(), tokens, choice.get("finish_reason") == "length")


def _too_long(url: str, size: str) -> EndpointError:
    return EndpointError(
        "too long",
        f"{url} answered with {size}, far over what was asked for.",
        remedy="Ask another model, or let it write shorter answers.",
        of_request=True,
    )
