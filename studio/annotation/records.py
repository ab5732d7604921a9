"""What the store takes and gives: plain frozen values, no table rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from studio.data.schema import ABSTENTIONS as ABSTENTIONS
from studio.data.schema import TIES as TIES
from studio.data.schema import Answer, Message

LabelKind = Literal["choose", "tie", "both_good", "both_bad", "skip", "unsure"]
TiePolicy = Literal["drop", "ignore"]
Agreement = Literal["agree", "disagree"]
Order = Literal["oldest", "newest", "shortest", "longest"]
Verdict = Literal["good", "bad"]
Side = Literal["left", "right"]
VOTES: tuple[str, ...] = ("choose", "tie", "both_good", "both_bad")
JUDGE = "judge:"
"""How names of annotators begin that are models, not people."""


@dataclass(frozen=True, kw_only=True)
class AnswerDetails:
    """What somebody says about a pair besides which answer is better.

    Every form of an answer has these fields: on a page, in an event, on a card, as a vote. A new
    one is declared here and as a column of `Label`, and bounded in `SaveBody`.

    Attributes:
        strength: "slightly", "clearly" or nothing; only with kind `choose`.
        flagged: A lead should look at the pair.
        edit: The chosen answer, improved.
        ideal: The best answer the annotator can write.
    """

    strength: str = ""
    edit: str = ""
    ideal: str = ""
    reason: str = ""
    comment: str = ""
    flagged: bool = False


DETAILS = tuple(detail.name for detail in fields(AnswerDetails))
WRITTEN = ("edit", "ideal")
"""Details that are texts of candidates: a label keeps their ids."""


def details_of(answer: Any) -> dict[str, Any]:
    """Read the `AnswerDetails` of an answer or a database row; texts that are not there are empty."""
    values = {name: getattr(answer, name) for name in DETAILS}
    return {name: "" if value is None else value for name, value in values.items()}


def is_judge(annotator: str) -> bool:
    """Return whether an annotator is a model that judges, by its name."""
    return annotator.startswith(JUDGE)


@dataclass(frozen=True)
class AddReport:
    """What an import did: rows new, already there, and there but given new candidates.

    Attributes:
        changed: There with another content; what became of them was decided before.
        metadata: There as they are, with other fields kept beside them.
    """

    added: int = 0
    unchanged: int = 0
    extended: int = 0
    changed: int = 0
    metadata: int = 0


@dataclass(frozen=True)
class DatasetView:
    """One dataset: its pairs, those with a vote, and those still waiting for one."""

    id: int
    name: str
    items: int
    pairs: int
    labelled: int
    waiting: int


@dataclass(frozen=True)
class CandidateView:
    """One answer; `length` in characters.

    Attributes:
        decoding: How a model wrote it; None for others.
    """

    id: int
    text: str
    author: str
    length: int
    tokens: int | None
    reference: bool
    decoding: Mapping[str, object] | None = None

    @property
    def answer(self) -> Answer:
        """It as part of a row."""
        return Answer(self.text, self.author, self.tokens, self.decoding)


@dataclass(frozen=True)
class PairView:
    """One pair with the count of votes people gave it.

    `source_choice_id` is what the source preferred, if it said so; `winner_id` what most people
    chose. `waits`: for votes, or for a lead's decision.
    """

    id: int
    first_id: int
    second_id: int
    source_choice_id: int | None
    votes: int
    winner_id: int | None = None
    waits: bool = False

    @property
    def preferred_id(self) -> int | None:
        """What people chose or, without votes, what the source preferred."""
        return self.winner_id if self.votes else self.source_choice_id


@dataclass(frozen=True)
class ItemView:
    """One item with all its answers and pairs.

    Attributes:
        source: What it was imported from.
        revision: Number of edits; goes back with the next one.
        agreement: Share of the votes that are for the commonest answer, over the pairs with two
            votes or more; None without such a pair.
        veiled: Without what a pair that waits must not tell (`annotation.library.blinding`).
    """

    id: int
    dataset: str
    external_id: str
    images: tuple[str, ...]
    prompt: tuple[Message, ...]
    question: str
    candidates: tuple[CandidateView, ...]
    pairs: tuple[PairView, ...]
    meta: dict[str, object] = field(default_factory=dict)
    split: str = ""
    source: str = ""
    flagged: bool = False
    excluded: bool = False
    deleted: bool = False
    revision: int = 0
    tags: tuple[str, ...] = ()
    agreement: float | None = None
    veiled: bool = False

    @property
    def waits(self) -> bool:
        """Whether a pair of it is to be judged blind."""
        return any(pair.waits for pair in self.pairs)

    @property
    def labels(self) -> int:
        """Votes on its pairs."""
        return sum(pair.votes for pair in self.pairs)


@dataclass(frozen=True)
class ItemFilter:
    """Which items; everything given must hold. Items in the bin are seen only with `deleted`.

    Attributes:
        search: Words that must all occur in the id, the prompt or the answers; the beginning of
            a word is enough.
        labelled: With (True) or without (False) a vote.
        labelled_by: Name of an annotator whose answer stands.
        agreement: "agree" or "disagree": all or not all of two votes or more are the same.
        source: What they were imported from (`Facets.sources`).
        length: Least and most characters of the longest answer; None: no such bound.
        ids: Only these items (a finding's rows, a selection).
        verdict: "good" or "bad": what the source says of a single answer.
    """

    dataset: str | None = None
    search: str = ""
    labelled: bool | None = None
    labelled_by: str | None = None
    agreement: Agreement | None = None
    source: str | None = None
    split: str | None = None
    length: tuple[int | None, int | None] = (None, None)
    flagged: bool | None = None
    excluded: bool | None = None
    tag: str | None = None
    ids: tuple[int, ...] | None = None
    deleted: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Facets:
    """What there is to filter by, in one dataset or in all."""

    sources: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextChange:
    """A text about to be edited.

    Attributes:
        candidate_id: The answer; None: the question.
        revision: `ItemView.revision` when its editing began.
    """

    item_id: int
    candidate_id: int | None
    revision: int
    text: str
    editor: str


@dataclass(frozen=True)
class EditView:
    """One past change of a text; `candidate_id` None: of the question."""

    candidate_id: int | None
    editor: str
    before: str
    after: str
    created_at: float


@dataclass(frozen=True)
class SideView:
    """One answer of a card, without its author."""

    candidate_id: int
    text: str


@dataclass(frozen=True, kw_only=True)
class PairContent:
    """What a pair shows on a card and on a page alike.

    Attributes:
        aspects: What is judged besides the choice, if anything.
        guideline: Version of the guidelines that stand; 0 without any.
        authors: Who wrote left and right; empty before the answer, and unless the lead shows it.
    """

    dataset: str
    images: tuple[str, ...]
    prompt: tuple[Message, ...]
    question: str
    aspects: tuple[str, ...] = ()
    markdown: bool = False
    guideline: int = 0
    authors: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairCard(PairContent):
    """One pair as the studio itself handles it; a page is sent a `Showing` of it.

    Attributes:
        version: Goes back as `LabelEvent.expected_version`.
        repeat: A second showing, with the sides swapped; goes back as `LabelEvent.repeat`.
        handle, showing, base: What stands for the pair, its sides and version 0 on a page
            (`showings.Viewer`).
    """

    pair_id: int
    left: SideView
    right: SideView
    version: int
    current: StandingAnswer | None = None
    repeat: bool = False
    handle: int = 0
    showing: str = ""
    base: int = 0


@dataclass(frozen=True)
class ShownSide:
    """One answer on a page."""

    text: str


@dataclass(frozen=True)
class SideSpan:
    """A piece of the answer on one side marked as wrong; see `Span`."""

    side: Side
    start: int
    end: int


@dataclass(frozen=True)
class ShownAnswer(AnswerDetails):
    """The answer that somebody gives now, by sides; an aspect is empty when both are alike."""

    kind: str
    winner: Side | None
    aspects: dict[str, str] = field(default_factory=dict)
    spans: tuple[SideSpan, ...] = ()


@dataclass(frozen=True)
class Showing(PairContent):
    """All that a page is sent of a pair: nothing in it tells its source, its state or its past.

    Attributes:
        pair_id: Stands for this showing of the pair to this person.
        showing: Goes back with the answer, and says which answer was on which side.
        version: Grows by one with every answer and undo; it does not begin at 0.
    """

    pair_id: int
    showing: str
    left: ShownSide
    right: ShownSide
    version: int
    current: ShownAnswer | None = None


@dataclass(frozen=True)
class SideAnswer(AnswerDetails):
    """An answer of a page, about to be saved; see `LabelEvent`.

    Attributes:
        pair_id, showing, expected_version: Those of the `Showing`.
        aspects: By aspect the better side; empty when both are alike.
    """

    key: str
    pair_id: int
    showing: str
    annotator: str
    kind: LabelKind
    winner: Side | None = None
    expected_version: int = 0
    elapsed_ms: int | None = None
    aspects: dict[str, str] = field(default_factory=dict)
    spans: tuple[SideSpan, ...] = ()
    guideline: int = 0


@dataclass(frozen=True)
class Span:
    """A piece of an answer marked as wrong: characters `start` to `end` (UTF-16 as in browsers)."""

    candidate_id: int
    start: int
    end: int


@dataclass(frozen=True)
class StandingAnswer(AnswerDetails):
    """The answer that (pair, annotator) gives now."""

    kind: str
    winner_id: int | None
    aspects: dict[str, int] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class LabelEvent(AnswerDetails):
    """An answer about to be saved.

    Attributes:
        key: Made by the client, once per answer; saving it again changes nothing.
        winner_id: Candidate chosen; only with kind `choose`.
        expected_version: `PairCard.version` at the moment of answering.
        elapsed_ms: Milliseconds from the pair being shown to the answer.
        shown_left_id: The candidate that was on the left.
        aspects: By aspect the candidate that is better in it; 0 when both are alike.
        spans: Pieces of the answers that are wrong.
        repeat: Answers a second showing; it is compared and does not count.
        guideline: Version of the guidelines on show.
    """

    key: str
    pair_id: int
    annotator: str
    kind: LabelKind
    winner_id: int | None = None
    expected_version: int = 0
    elapsed_ms: int | None = None
    shown_left_id: int | None = None
    aspects: dict[str, int] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    repeat: bool = False
    guideline: int = 0


@dataclass(frozen=True)
class Saved:
    """An event that is on disk.

    `feedback` is what a gold pair says about the answer, where the lead wants it said.
    """

    label_id: int
    key: str
    pair_id: int
    kind: str
    version: int
    feedback: str = ""


@dataclass(frozen=True)
class Taken:
    """The answer of a page that is on disk, in the page's words, and the pairs that come next."""

    saved: Saved
    cards: tuple[PairCard, ...]


@dataclass(frozen=True)
class HistoryEntry:
    """One past event of an annotator, newest first in a listing; `handle` is `PairCard.handle`."""

    label_id: int
    pair_id: int
    dataset: str
    question: str
    kind: str
    winner: str
    reason: str
    created_at: float
    current: bool
    handle: int = 0


@dataclass(frozen=True)
class Progress:
    """How far: `labelled` counts answers (skips too), `total` what there is to answer.

    Attributes:
        elsewhere: Said when nothing is left for an annotator: pairs that wait for other people.
        day: The server's, of which `today` is.
        since: The day of the annotator's first answer; empty before it.
        twice: How many of an annotator's answers, given and to come, are to second showings; no
            answer changes it.
        pairs: How many pairs that are: `total` without those that come twice.
    """

    labelled: int
    total: int
    waiting: int
    today: int
    median_seconds: float | None
    elsewhere: int = 0
    day: str = ""
    since: str = ""
    twice: int = 0
    pairs: int = 0


@dataclass(frozen=True)
class ExportPolicy:
    """Which labels become training rows.

    Attributes:
        ties: "drop": a tie is a vote, and a pair without a majority for one answer is left
            out. "ignore": ties don't count; the majority of those who chose decides.
        minimum_votes: Pairs with fewer choices for the winner are left out.
        include_imported: Use the preference of the source where no person has voted.
        minimum_agreement: Least share of the votes that the winner needs, 0 to 1.
        annotators: Only their votes and texts count; nobody named: everybody's.
        include_written: Pairs in which an edit or an ideal answer is preferred.
        balance_lengths: Leave out pairs until the longer answer wins in half of them.
    """

    ties: TiePolicy = "drop"
    minimum_votes: int = 1
    include_imported: bool = False
    minimum_agreement: float = 0.0
    annotators: tuple[str, ...] = ()
    include_written: bool = True
    balance_lengths: bool = False
