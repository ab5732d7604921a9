"""The formats known by name. Each is declared once: how it is recognised, read and shown.

To add one, declare a `Format` with an example in one of the modules below; the import, the preview
and docs/formats.md (`python -m studio.data.formats.docs_page`) follow, and the tests read its
example in every kind of file.
"""

from __future__ import annotations

from studio.data.columns import ASKING, guess_columns
from studio.data.formats import annotation_tools, datasets, training_tools
from studio.data.formats.declaration import USED, Format
from studio.data.record_fields import Record, is_shallow

# The first that fits reads a record: those with the most particular fields come first.
FORMATS: tuple[Format, ...] = (
    *annotation_tools.FORMATS,
    *datasets.FORMATS,
    *training_tools.FORMATS,
)

__all__ = ["FORMATS", "USED", "Format", "is_row", "recognise"]


def recognise(record: Record) -> Format | None:
    """Return the format of a record; None: its columns are guessed by their names alone."""
    return next((known for known in FORMATS if known.fits(record)), None)


def is_row(value: Record) -> bool:
    """Return whether an object asks something itself, rather than holding rows that do."""
    if not is_shallow(value):
        return False
    return recognise(value) is not None or bool(guess_columns(value).keys() & ASKING)
