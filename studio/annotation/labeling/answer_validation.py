"""What an answer has to be to be saved: of a known kind, and about the pair it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Row

from studio.annotation.labeling.project_settings import stored
from studio.annotation.labeling.written_answers import LONGEST
from studio.annotation.records import ABSTENTIONS, VOTES, LabelEvent, Span, details_of
from studio.core.errors import InputError
from studio.data.conversation import flaw

STRENGTHS = ("", "slightly", "clearly")
LONGEST_KEY = 64
MOST_SPANS = 200
LONGEST_MS = 86_400_000
"""Milliseconds of a day: nobody looks at a pair for longer."""


def ensure_fits(event: LabelEvent, pair: Row) -> None:
    """Refuse an event that is not an answer to `pair`.

    Args:
        pair: Row with `first_id`, `second_id`, and the `overlap` and `settings` of its dataset.

    Raises:
        InputError: `field` names the part of the event that does not fit.
    """
    candidates = (pair.first_id, pair.second_id)
    if event.kind not in VOTES + ABSTENTIONS:
        raise _unfit(f"{event.kind!r} is not a kind of answer.", "kind")
    if not 1 <= len(event.key) <= LONGEST_KEY:
        raise _unfit(f"An answer needs a key of 1 to {LONGEST_KEY} characters.", "key")
    if event.kind == "choose" and event.winner_id not in candidates:
        raise _unfit("The chosen answer is not part of this pair.", "winner_id")
    if event.kind != "choose" and event.winner_id is not None:
        raise _unfit(f"An answer {event.kind!r} has no winner.", "winner_id")
    if event.shown_left_id is not None and event.shown_left_id not in candidates:
        raise _unfit("The answer on the left is not part of this pair.", "shown_left_id")
    if event.strength not in STRENGTHS or (event.strength and event.kind != "choose"):
        raise _unfit("Only a choice is slight or clear.", "strength")
    if event.elapsed_ms is not None and not 0 <= event.elapsed_ms <= LONGEST_MS:
        raise _unfit("An answer takes from no time to a day.", "elapsed_ms")
    _ensure_details_fit(event, stored(pair.overlap, pair.settings).aspects, candidates)


def _unfit(message: str, field: str) -> InputError:
    """What no page asks for that shows the pair as it is."""
    return InputError(message, remedy="Reload the page.", field=field)


def utf16_length(text: str) -> int:
    """Count a text's characters as browsers do: in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def ensure_spans_fit(spans: Sequence[Span], lengths: Mapping[int, int]) -> None:
    """Refuse marks that are not on an answer's text.

    Args:
        lengths: By candidate of the pair, how long its text is (`utf16_length`).
    """
    if len(spans) > MOST_SPANS:
        raise InputError(
            f"More than {MOST_SPANS} pieces are marked.", remedy="Mark fewer.", field="spans"
        )
    for span in spans:
        if span.candidate_id not in lengths or not 0 <= span.start < span.end:
            raise _unfit("A marked piece is not part of this pair.", "spans")
        if span.end > lengths[span.candidate_id]:
            raise InputError(
                "A marked piece goes beyond the end of the answer.",
                remedy="The text may have been changed: look at the pair and mark it again.",
                field="spans",
            )


def ensure_text_fits(text: str, field: str) -> None:
    """Refuse a text that is too long, or that a database cannot hold. Raises InputError."""
    if len(text) > LONGEST:
        raise InputError(
            f"The text has more than {LONGEST:,} characters.", remedy="Shorten it.", field=field
        )
    ensure_storable(text, field)


def ensure_storable(text: str, field: str) -> None:
    """Refuse a text that a database cannot hold. Raises InputError."""
    if character := flaw(text):
        raise InputError(f"The text contains {character}.", remedy="Take it out.", field=field)


def _ensure_details_fit(
    event: LabelEvent, known: Sequence[str], candidates: tuple[int, int]
) -> None:
    for aspect, better in event.aspects.items():
        if aspect not in known or better not in (0, *candidates):
            raise _unfit(f"{aspect[:40]!r} cannot be judged here.", "aspects")
    for name, value in details_of(event).items():
        if isinstance(value, str):
            ensure_text_fits(value, name)
    if event.edit.strip() and event.winner_id is None:
        raise InputError("Choose the better answer to edit it.", field="edit")
