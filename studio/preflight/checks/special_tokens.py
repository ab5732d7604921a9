"""Text that spells one of the model's special tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from studio.core.plurals import counted
from studio.preflight.checks.base import Check, SeenRow, answers_of
from studio.preflight.report import Finding


class SpecialTokens(Check):
    """Rows whose text contains a special token literally: the model would read the token."""

    def __init__(self, tokens: Sequence[str]) -> None:
        spelled = sorted({token for token in tokens if token.strip()}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, spelled)) or r"(?!)")
        self._found: dict[int, str] = {}

    def add(self, seen: SeenRow) -> None:
        texts = [message.text for message in seen.row.prompt]
        texts += [answer.text for answer in answers_of(seen.row).values()]
        for text in texts:
            match = self._pattern.search(text)
            if match:
                self._found[seen.number] = match.group()
                return

    def findings(self) -> Iterator[Finding]:
        if not self._found:
            return
        common = [token for token, _ in Counter(self._found.values()).most_common(3)]
        yield Finding(
            "special_tokens",
            "error",
            sorted(self._found),
            f"{counted(len(self._found))} whose text spells a special token of the model "
            f"({', '.join(common)}). It would be read as the token, not as text.",
            "Training leaves these rows out. Rewrite the text, or exclude them.",
            {number: f"contains {token}" for number, token in self._found.items()},
        )
