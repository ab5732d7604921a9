"""Texts of others within a sentence: short, on one line, in quotation marks."""

from __future__ import annotations

SHOWN_TEXT = 80


def quoted(text: str) -> str:
    """Quote the beginning of a text on one line: `“What colour is …”`."""
    shown = " ".join(text.split())
    return f"“{shown[:SHOWN_TEXT]}{'…' if len(shown) > SHOWN_TEXT else ''}”"
