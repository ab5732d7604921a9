"""The encoding of a text file, told from its first bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

SAMPLE = 256 * 1024
UTF8 = "utf-8-sig"
CHINESE = "gb18030"
_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = 0.8


def encoding_of(path: Path) -> str:
    """Tell how the text of a file is encoded: UTF-8 unless its bytes say otherwise."""
    with path.open("rb") as handle:
        return guessed(handle.read(SAMPLE))


def guessed(sample: bytes) -> str:
    """Tell the encoding of a text from its beginning.

    Returns:
        `utf-8-sig`, `gb18030` or a UTF-16 or UTF-32; UTF-8 also where nothing fits, so that the
        damaged line can be named.
    """
    marked = next((name for mark, name in _MARKS if sample.startswith(mark)), "")
    if marked:
        return marked
    if wide := _wide(sample[:4096]):
        return wide
    if _is(sample, "utf-8") or not _is(sample, CHINESE):
        return UTF8
    return CHINESE if not _has_utf8_lines(sample) and _is_chinese(sample) else UTF8


def is_wide(encoding: str) -> bool:
    """Return whether a line's end takes more than one byte."""
    return encoding.startswith(("utf-16", "utf-32"))


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of Western text and of JSON's marks is zero."""
    half = len(sample) // 2
    if half < 2 or b"\0" not in sample:
        return ""
    high, low = sample[0::2].count(0), sample[1::2].count(0)
    if low > half * 0.3 and high < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if high > half * 0.3 and low < half * 0.05 else ""


def _is(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _has_utf8_lines(sample: bytes) -> bool:
    """Returns: whether most lines that say something about it are UTF-8; a few are damaged."""
    telling = [line for line in sample.split(b"\n") if not line.isascii()]
    return sum(_is(line, "utf-8") for line in telling) * 2 > len(telling)


def _is_chinese(sample: bytes) -> bool:
    """Returns: whether the characters are common ones; Western text read so has rare ones."""
    text = codecs.getincrementaldecoder(CHINESE)().decode(sample, final=False)
    beyond = [character for character in text if not character.isascii()]
    common = sum(_is_common(character) for character in beyond)
    return common >= _COMMON * max(1, len(beyond))


def _is_common(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
