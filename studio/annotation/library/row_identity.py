"""By what rows and answers are known again: hashes of what was imported, not of what it is now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache

from studio.annotation.database.search_text import prompt_to_json
from studio.data.schema import Answer, Row

LONGEST_AUTHOR = 300
Identity = tuple[int, str, str]
"""An answer: its item, its author, the hash of its text."""


def fingerprint(row: Row) -> str:
    """Hash what an item is: its images and its prompt (sha256, hex)."""
    return content_hash(row.images, prompt_to_json(row.prompt))


def content_hash(images: Sequence[str], prompt: Sequence[dict]) -> str:
    """Hash images and a prompt as they stand in the tables (sha256, hex)."""
    content = json.dumps([images, prompt], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=4096)  # each answer of a chunk is looked up several times
def text_hash(text: str) -> str:
    """Hash a text (sha256, hex), by which texts are compared and found again."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def author_of(answer: Answer) -> str:
    """Return the author of an answer as the tables keep it."""
    return answer.author[:LONGEST_AUTHOR]


def identity(item_id: int, answer: Answer) -> Identity:
    """Return by what an answer of an item is known."""
    return item_id, author_of(answer), text_hash(answer.text)
