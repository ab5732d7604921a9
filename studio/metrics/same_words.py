"""When two answers count as the same: in the same words, whatever their dress."""

from __future__ import annotations

import re

_OUTSIDE = "*_`\"'“”‘’«».,;:!?()[]{}|#>~…。，；：！？、（）「」-–—•"


def alike(first: str, second: str) -> bool:
    """Return whether two answers say the same in the same words.

    Case, spaces, Markdown marks and the punctuation around words do not count; every word, sign and
    digit does: one of them ("not", a minus) can be the whole difference.
    """
    return _words(first) == _words(second)


def _words(text: str) -> list[str]:
    words = [_bare(word) for word in text.casefold().split()]
    return [word for word in words if word]


def _bare(word: str) -> str:
    bare = word.rstrip(_OUTSIDE)
    while bare and bare[0] in _OUTSIDE and not re.match(r"[-–.,]\d", bare):
        bare = bare[1:]
    return bare
