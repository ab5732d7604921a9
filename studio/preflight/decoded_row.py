"""A row as the model reads it, with what is learned of it marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.data.schema import Row
from studio.data.trl_format import answer_messages, bare
from studio.models.answer_spans import answer_spans
from studio.models.row_tokens import fitted_prompt, learned
from studio.preflight.report import Piece, Rendering

if TYPE_CHECKING:
    from studio.preflight.model_processor import Model


def rendering_of(model: Model, number: int, row: Row) -> Rendering | None:
    """Return the row with its first learned answer, decoded, end token and all; None without an
    answer.

    Args:
        number: The row's number.
    """
    answers = learned(row)
    if not answers or not answers[0].text.strip():
        return None
    prompt, answer = fitted_prompt(row, model.fit), bare(answer_messages(answers[0]))
    in_place = row.completion is not None and not model.fit.parts(row)
    before = len(prompt) - len(row.prompt)
    places = [place + before for place, one in enumerate(row.prompt) if in_place and one.learned]
    text, spans = answer_spans(model.processor, prompt, answer, places)
    whole = model.processor.apply_chat_template([*prompt, *answer], tokenize=False)
    pieces, position = [], 0
    for start, end in [*spans, (len(text), len(whole))]:
        pieces += [Piece(whole[position:start], False), Piece(whole[start:end], True)]
        position = end
    return Rendering(number, [piece for piece in pieces if piece.text])
