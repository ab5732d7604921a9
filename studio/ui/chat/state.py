"""What the Chat tab remembers of a conversation; no Gradio here."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from studio.data.schema import Message
from studio.inference.protocol import ChatDelta, said, user_turn, why_empty

LEFT = "The page was left, or the studio ended, before the answer came. Press Retry."
TIE = "tie"
STOPPED = {"end": "", "length": "cut at the longest answer", "cancelled": "stopped"}


@dataclass
class ChatAnswer:
    """One model's answer to one turn, as far as it has come.

    Attributes:
        stopped: Whether the person does not want the rest.
        ended: Whether the model itself ended it, or it reached its longest.
        why_empty: How it ended, of an answer in which nothing can be seen.
        tokens: How many it has, once it is there.
        verdict: What the person said of it alone: `good`, `bad` or nothing.
        why: Its pieces, each with how much likelier the adapter finds it than the base does
            (nats); empty until somebody asks.
    """

    text: str = ""
    stage: str = ""
    error: str = ""
    stats: str = ""
    stopped: bool = False
    ended: bool = False
    why_empty: str = ""
    tokens: int | None = None
    verdict: str = ""
    why: list[tuple[str, float]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether more may come."""
        return not self.stats and not self.error

    def take(self, delta: ChatDelta) -> None:
        """Go one step on."""
        self.text += delta.text
        self.stage = "" if self.text else delta.stage or self.stage
        if delta.done:
            self.stats = describe(delta)
            self.tokens = delta.tokens
            self.ended = delta.stopped != "cancelled"
            self.why_empty = why_empty(delta.tokens, delta.stopped) if self.empty else ""

    @property
    def empty(self) -> bool:
        """Whether the model has answered, with nothing."""
        return self.ended and not self.text.strip()

    def stop(self) -> None:
        """The user does not want the rest."""
        if self.open:
            self.stage, self.stats, self.stopped = "", STOPPED["cancelled"], True


@dataclass
class Turn:
    """A question with the images that came with it, and each model's answer by its key.

    Attributes:
        order: Their keys as they stand side by side, drawn anew for each blind turn.
        blind: Names are hidden until there is a vote.
        vote: Key of the answer that the person found best, `tie`, or nothing.
        asked: The request for each answer without its texts, by key; `authors` says who it is by.
    """

    question: str
    images: tuple[str, ...] = ()
    answers: dict[str, ChatAnswer] = field(default_factory=dict)
    stopped: bool = False
    turn_id: str = field(default_factory=lambda: secrets.token_hex(6))
    order: tuple[str, ...] = ()
    blind: bool = False
    vote: str = ""
    system_prompt: str = ""
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    authors: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, ...]:
        """Keys of those who answer it, left to right."""
        return self.order or tuple(self.answers)

    @property
    def veiled(self) -> bool:
        """Whether nobody may see yet who says what."""
        return self.blind and not self.vote

    @property
    def votable(self) -> bool:
        """Whether two answers or more are there to be compared."""
        texts = [answer.text.strip() for answer in self.answers.values() if not answer.open]
        return len(texts) == len(self.answers) and len([text for text in texts if text]) > 1

    def heard(self, key: str) -> tuple[str, str]:
        """What model `key` takes for the answer when it is asked on, and the key of who gave it.

        Its own answer, else what another one said; two empty texts where nobody said anything.
        """
        said = {by: answer.text for by, answer in self.answers.items() if answer.text}
        by = key if key in said else next(iter(said), "")
        return said.get(by, ""), by


@dataclass
class ChatConversation:
    """All turns; several models may have answered them.

    Attributes:
        columns: (key, label) of the models shown side by side, left to right.
        labels: Label of every model that was a column, by its key.
        conversation_id, name, revision: Of the file that keeps it; empty and 0 before.
        editing: Id of the turn whose question is being written anew.
        taken_back: Turns that the last one stands in place of; they come back if it fails.
    """

    turns: list[Turn] = field(default_factory=list)
    columns: tuple[tuple[str, str], ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    conversation_id: str = ""
    name: str = ""
    revision: int = 0
    editing: str = ""
    taken_back: list[Turn] = field(default_factory=list)

    def show(self, columns: Iterable[tuple[str, str]]) -> None:
        """Show these models from now on."""
        self.columns = tuple(columns)
        self.labels |= dict(self.columns)

    @property
    def images(self) -> tuple[str, ...]:
        """sha256 of every image so far, in the order of the placeholders."""
        return tuple(sha for turn in self.turns for sha in turn.images)

    @property
    def busy(self) -> bool:
        """Whether the last turn is being answered."""
        return any(answer.open for turn in self.turns[-1:] for answer in turn.answers.values())

    def turn(self, turn_id: str) -> Turn | None:
        """Return the turn with this id; None where it is gone."""
        return next((turn for turn in self.turns if turn.turn_id == turn_id), None)

    def go_back(self, turn: Turn) -> None:
        """Take back a turn and all after it."""
        place = next(index for index, kept in enumerate(self.turns) if kept is turn)
        self.taken_back = self.turns[place:]
        del self.turns[place:]

    def begin(
        self, question: str, images: Iterable[str], models: list[str], *, blind: bool = False
    ) -> Turn:
        """Add a turn; only images that were not shown before go with it."""
        fresh = tuple(dict.fromkeys(sha for sha in images if sha not in self.images))
        turn = Turn(question, fresh, {key: ChatAnswer() for key in models}, blind=blind)
        if blind:
            turn.order = tuple(random.sample(models, len(models)))
        self.turns.append(turn)
        return turn

    def drop_empty(self) -> str:
        """Take back the last turn if nobody said anything to it; returns its question."""
        last = self.turns[-1].answers.values() if self.turns else ()
        if not self.turns or any(answer.text or answer.ended for answer in last):
            self.taken_back = []
            return ""
        question = self.turns.pop().question
        self.turns += self.taken_back
        self.taken_back = []
        if self.turns:  # what is left is shown under the models that answered it
            self.show((key, self.labels.get(key, key)) for key in self.turns[-1].answers)
        return question

    def wants(self, turn: Turn) -> bool:
        """Return whether answers to `turn` are still to be written: not stopped, not cleared."""
        return any(kept is turn for kept in self.turns) and not turn.stopped

    def stop_one(self, turn: Turn, key: str) -> None:
        """End the answer of one model; the others go on."""
        answer = turn.answers.get(key)
        if answer is not None:
            answer.stop()
        if not any(answer.open for answer in turn.answers.values()):
            turn.stopped = True

    def stop(self) -> None:
        """End the answers under way; whoever writes them sees it at the next step."""
        for turn in self.turns[-1:]:
            turn.stopped = True
            for answer in turn.answers.values():
                answer.stop()

    def clear(self) -> None:
        """Begin a new conversation; answers under way end."""
        self.turns.clear()
        self.taken_back = []
        self.conversation_id, self.name, self.revision, self.editing = "", "", 0, ""

    def plain(self) -> dict[str, Any]:
        """Return all that is kept of it, as plain values."""
        return {
            "turns": [asdict(turn) for turn in self.turns],
            "columns": [list(column) for column in self.columns],
            "labels": self.labels,
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Take in what `plain` has returned; answers that never came say so.

        Raises:
            TypeError, KeyError, ValueError: It is something else.
        """
        turns = [_turn(each) for each in values["turns"]]
        columns = tuple((str(key), str(label)) for key, label in values["columns"])
        labels = {str(key): str(label) for key, label in dict(values["labels"]).items()}
        self.turns[:] = turns
        self.taken_back = []
        self.columns, self.labels, self.editing = columns, labels, ""

    def messages(
        self, key: str, system_prompt: str = "", *, upto: Turn | None = None
    ) -> tuple[Message, ...]:
        """Return what model `key` is asked: its own earlier answers, else what another one said.

        Args:
            upto: The turn that is asked; None: the last one.
        """
        return tuple(self._messages(key, system_prompt, upto or self.turns[-1]))

    def _messages(self, key: str, system_prompt: str, last: Turn) -> Iterator[Message]:
        if system_prompt.strip():
            yield said("system", system_prompt.strip())
        for turn in self.turns:
            yield user_turn(turn.question, len(turn.images))
            if turn is last:
                return
            yield said("assistant", turn.heard(key)[0])

    def stats(self, key: str) -> str:
        """About the last answer of model `key`: tokens, speed, why it ended."""
        answer = self.turns[-1].answers.get(key) if self.turns else None
        return answer.stats if answer is not None else ""


def describe(delta: ChatDelta) -> str:
    """Length and speed of a finished answer."""
    unit = "token" if delta.tokens == 1 else "tokens"
    parts = [f"{delta.tokens} {unit}", f"{delta.tokens_per_second:.1f} tokens/s"]
    why = STOPPED.get(delta.stopped, "")
    return " · ".join([*parts, why] if why else parts)


def _turn(values: Mapping[str, Any]) -> Turn:
    answers = {str(key): ChatAnswer(**each) for key, each in values["answers"].items()}
    for answer in answers.values():
        answer.why = [(str(piece), float(change)) for piece, change in answer.why]
        if answer.open:
            answer.stage, answer.error = "", LEFT
    rest = {**values, "answers": answers}
    for name in ("images", "order"):
        rest[name] = tuple(map(str, values[name]))
    return Turn(**rest)
