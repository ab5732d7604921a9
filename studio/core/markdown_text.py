"""A person's text inside a Markdown page: shown as it is, never read as markup."""

from __future__ import annotations

import re

MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|$~:/&\"])")


def plain(text: object) -> str:
    """Escape a text for Markdown: one line without markup, links or formulas."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))
