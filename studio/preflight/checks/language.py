"""Which languages the rows are in.

Short texts tell no language ("42 %", "blue"): only texts with `LETTERS` letters are judged, fewer
in scripts that tell more (`SIGNS`), and only verdicts the identifier is sure of count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

from studio.core.plurals import counted
from studio.preflight.checks.base import Check, SeenRow, percent
from studio.preflight.report import Finding

LETTERS = 18
SIGNS = 6
SURE = 0.7
JUDGED_CHARACTERS = 300
RARE = 0.005
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


class Languages(Check):
    """The language of each question, and answers in another one.

    Args:
        stride: Only every so many rows are judged.
    """

    def __init__(self, stride: int = 1) -> None:
        self._stride, self._met = max(1, stride), 0
        self._questions: dict[int, str] = {}
        self._elsewhere: dict[int, tuple[str, str]] = {}

    def add(self, seen: SeenRow) -> None:
        self._met += 1
        if (self._met - 1) % self._stride:
            return
        asked = language_of(seen.row.question)
        if asked:
            self._questions[seen.number] = asked
        wanted = seen.row.completion or seen.row.chosen
        answered = language_of(wanted.text) if wanted else ""
        if asked and answered and asked != answered:
            self._elsewhere[seen.number] = (asked, answered)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the questions that tell their language, by language, commonest first."""
        counts = Counter(self._questions.values()).most_common()
        total = len(self._questions)
        return {language: round(count / total, 4) for language, count in counts}

    def findings(self) -> Iterator[Finding]:
        looked = f" of every {self._stride}th row" if self._stride > 1 else ""
        shares = self.shares
        main, *others = shares or [""]
        if others and 1 - shares[main] >= RARE:
            rows = [number for number, language in self._questions.items() if language != main]
            named = ", ".join(f"{percent(shares[one])} {LANGUAGES[one]}" for one in others[:4])
            yield Finding(
                "language_mix",
                "info",
                rows,
                f"{percent(shares[main])} of the questions{looked} are {LANGUAGES[main]}; "
                f"also {named}.",
                "Fine when the model is to answer in all of them.",
            )
        if self._elsewhere:
            asked, answered = Counter(self._elsewhere.values()).most_common(1)[0][0]
            yield Finding(
                "answer_language",
                "warning",
                list(self._elsewhere),
                f"{counted(len(self._elsewhere))}{looked} answered in another language than asked "
                f"(mostly {LANGUAGES[asked]} → {LANGUAGES[answered]}).",
                "Fine when the question asks for that; otherwise correct or exclude them.",
            )


def language_of(text: str) -> str:
    """Return the language a text is surely in; empty when it does not tell."""
    text = text[:JUDGED_CHARACTERS]
    letters = sum(sign.isalpha() for sign in text)
    foreign = sum(sign.isalpha() and ord(sign) > 0x36F for sign in text)
    if letters < LETTERS and foreign < SIGNS:
        return ""
    language, sure = _identifier().classify(text)
    return language if sure >= SURE else ""


@cache
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(set(LANGUAGES) & set(identifier.labels)))
    return identifier
