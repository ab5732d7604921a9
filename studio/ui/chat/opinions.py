"""What a person says of the answers to a turn, and how it goes into the library; no Gradio here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from studio.annotation import AnnotationStore
from studio.core.errors import InputError
from studio.data.schema import Answer
from studio.launch.chat_votes import ChatTurn, keep_verdict, keep_vote
from studio.ui.chat.state import TIE, ChatConversation, Turn


@dataclass(frozen=True)
class Opinions:
    """Votes and verdicts of one person on one conversation.

    Attributes:
        dataset: Of the library, for both; empty: one of each by its usual name.
    """

    store: AnnotationStore
    conversation: ChatConversation
    who: str
    dataset: str = ""

    def vote(self, turn: Turn, place: int) -> None:
        """Keep which answer is best, by its place from 1 on; 0 is a tie.

        Raises:
            InputError: There is no such answer, or there is nothing to prefer.
        """
        shown = turn.shown
        if not turn.votable or place > len(shown):
            raise InputError(
                "There are no two answers to choose between.",
                remedy="Wait until all answers are there.",
            )
        key = shown[place - 1] if place else TIE
        if place and not turn.answers[key].text.strip():
            raise InputError(
                "This answer is empty: it cannot be the best.", remedy="Choose another, or 0."
            )
        heard = key if place else shown[0]
        best = place - 1 if place else None
        keep_vote(self.store, self.dataset, self._turn(turn, shown, heard), best, blind=turn.blind)
        turn.vote = key

    def judge(self, turn: Turn, key: str, verdict: str) -> None:
        """Keep that an answer is good or bad; saying the same again takes it back."""
        answer = turn.answers[key]
        said = "" if answer.verdict == verdict else verdict
        wanted = cast('Literal["good", "bad"] | None', said or None)
        keep_verdict(self.store, self.dataset, self._turn(turn, (key,), key), wanted)
        answer.verdict = said

    def _turn(self, turn: Turn, keys: tuple[str, ...], heard: str) -> ChatTurn:
        talk = self.conversation
        place = next(index for index, kept in enumerate(talk.turns) if kept is turn)
        asked = [talk.messages(key, turn.system_prompt, upto=turn) for key in keys]
        about: dict[str, object] = {"chat": talk.conversation_id, "turn": place + 1}
        if any(one != asked[0] for one in asked):
            about["histories"] = "each model went on from answers of its own"
        single = f"-{list(turn.answers).index(keys[0])}" if len(keys) == 1 else ""
        return ChatTurn(
            f"chat-{turn.turn_id}{single}",
            tuple(sha for kept in talk.turns[: place + 1] for sha in kept.images),
            talk.messages(heard, turn.system_prompt, upto=turn),
            tuple(_answer(turn, key) for key in keys),
            self.who,
            about,
        )


def _answer(turn: Turn, key: str) -> Answer:
    answer = turn.answers[key]
    return Answer(
        answer.text,
        author=turn.authors.get(key, ""),
        tokens=answer.tokens,
        decoding=_decoding(turn.asked.get(key, {})),
    )


def _decoding(asked: dict[str, Any]) -> dict[str, Any]:
    model = asked.get("model", {})
    run, _, step = str(asked.get("run", "")).partition("@")
    return {
        "model": model.get("id", ""),
        "quantization": model.get("quantization", "none"),
        **({"run": run} if run else {}),
        **({"step": int(step)} if step.isdecimal() else {}),
        **asked.get("sampling", {}),
    }
