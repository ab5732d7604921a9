"""Cells of CSV files that a spreadsheet takes for text, and what they were before."""

from __future__ import annotations

import re
import unicodedata

VERSION = 2
"""Written into the manifest of an export; 1 neutralised by the first character alone."""

FORMULA_STARTS = frozenset("=+-@")
RAW_STARTS = ("\t", "\r", "\n")
QUOTES = "'\"`‘’“”„«»"
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FIRST_RULE = re.compile(r"\A'(?='*[=+\-@\t\r])")
_MINUS = "\N{MINUS SIGN}"


def neutral(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula.

    Seen through are blanks, quotes, invisible characters and full-width forms at the start; a
    plain number stays a number. What begins with apostrophes already gets one more, so that
    `original` gives every cell back.
    """
    return f"'{cell}" if _is_live(cell) else cell


def original(cell: str, version: int = VERSION) -> str:
    """Take away the apostrophe that `neutral` of that version put before a cell."""
    if version < VERSION:
        return _FIRST_RULE.sub("", cell, 1)
    return cell[1:] if cell.startswith("'") and _is_live(cell[1:]) else cell


def _is_live(cell: str) -> bool:
    # Apostrophes do not count, so that `neutral` can be undone: one more changes nothing here.
    if (bare := cell.lstrip("'")).startswith(RAW_STARTS):
        return True
    start = next(
        (place for place, character in enumerate(bare) if not _is_passed(character)), len(bare)
    )
    rest = bare[start:]
    if _NUMBER.fullmatch(rest.rstrip()):
        return False
    plain = unicodedata.normalize("NFKC", rest[:1]).replace(_MINUS, "-")
    return plain[:1] in FORMULA_STARTS if plain else False


def _is_passed(character: str) -> bool:
    """Returns: whether a formula may hide behind `character`: a blank, a quote, nothing to see."""
    category = unicodedata.category(character)
    return character.isspace() or character in QUOTES or category in ("Cf", "Cc")
