"""The text of token ids that come one at a time."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\ufffd"


class TokenText:
    """Decodes ids into pieces of text that end on whole characters.

    A piece is decoded beside the ids of the piece before it, as what a tokenizer writes of an id
    depends on its neighbours (a space in front, bytes of one character). Nothing earlier is decoded
    again, so an answer of n tokens costs n short decodings.

    Attributes:
        ids: All ids so far.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.ids: list[int] = []
        self._tokenizer = tokenizer
        self._before = 0  # where the ids of the piece before begin
        self._given = 0  # ids whose text was handed out or is held
        self._held = ""
        self._begun = False

    def add(self, token: int) -> str:
        """Take one more id; returns what may be shown now, without white space at its end."""
        self.ids.append(token)
        piece = self._piece()
        if piece.endswith(REPLACEMENT):  # part of a character
            return ""
        return self._show(piece)

    def rest(self) -> str:
        """Return what is left at the end; white space that ends the text is dropped."""
        return self._show(self._piece())

    def _piece(self) -> str:
        known = self._decode(self.ids[self._before : self._given])
        return self._decode(self.ids[self._before :])[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)

    def _show(self, piece: str) -> str:
        if piece:
            self._before, self._given = self._given, len(self.ids)
        text = self._held + piece
        if not self._begun:
            text = text.lstrip()
        shown = text.rstrip()
        self._held = text[len(shown) :]
        self._begun = self._begun or bool(shown)
        return shown
