"""Labels of other tools that come with rows: counted, and brought as labels of their people."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Self

from sqlalchemy import Connection, func, select

from studio.annotation.database.tables import Annotator, Label, Lease
from studio.annotation.labeling.answer_validation import LONGEST_KEY
from studio.annotation.labeling.written_answers import LONGEST
from studio.annotation.library.import_rows import CHUNK
from studio.annotation.library.other_workspace_labels import ForeignLabel, Text
from studio.annotation.library.row_identity import author_of, fingerprint, text_hash
from studio.annotation.records import ABSTENTIONS, LabelEvent
from studio.core.errors import InputError
from studio.data.schema import Answer, GivenLabel, Row

KEYS = "import-"
"""How the keys of labels begin that came with rows."""
LONGEST_NAME = 200
NAMELESS = "unnamed"
_NUMBER = re.compile(r"#\d+$")  # of a row that has the id of another
SPOOLED_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class GivenLabels:
    """What came with the rows, by the names of the source.

    Attributes:
        found: How many labels of each person there are.
        refused: How many were left out, since somebody here has that name.
        of_changed: How many were left out with changed rows: they are about another content.
        brought: They were asked for.
    """

    found: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    of_changed: int = 0
    brought: bool = False


def name_of(label: GivenLabel) -> str:
    """Return the name of a label's annotator as it can stand here."""
    return _storable(label.annotator).strip()[:LONGEST_NAME] or NAMELESS


def _storable(text: str) -> str:
    """A text in characters that every database takes; the others become marks."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


class LabelSpool:
    """Collects the labels of rows while they are imported; gone with the block.

    Attributes:
        found: How many there are of each person.
    """

    def __init__(self, wanted: bool) -> None:
        self.found: Counter[str] = Counter()
        self.wanted = wanted
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            SPOOLED_BYTES, "w+", encoding="utf-8", errors="surrogatepass", newline="\n"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Row) -> None:
        """Take the labels of one row; of one person's on the same answers, the newest first."""
        for label in sorted(row.labels, key=lambda label: -(label.given_at or 0)):
            self.found[name_of(label)] += 1
            if self.wanted:
                self._file.write(json.dumps(_plain(row, label)) + "\n")

    def labels(
        self,
        dataset: str,
        names: Mapping[str, str],
        refused: Collection[str],
        renamed: Mapping[str, str],
        left_out: Collection[str],
        now: float,
    ) -> Iterator[list[ForeignLabel]]:
        """Yield them, some at a time.

        Args:
            names: Names of the source with those they get here.
            refused: Names whose labels are left out.
            renamed: Ids of rows in the source with those they have here.
            left_out: Ids of rows that were not brought in.
        """
        wanted = (
            record
            for record in self._records()
            if record["annotator"] not in refused and record["item"] not in left_out
        )
        while some := list(islice(wanted, CHUNK)):
            yield [_label(dataset, record, names, renamed, now) for record in some]

    def count_of(self, rows: Collection[str], refused: Collection[str]) -> int:
        """Count the labels of some rows, without those of refused names."""
        if not rows:
            return 0
        return sum(
            record["item"] in rows and record["annotator"] not in refused
            for record in self._records()
        )

    def _records(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        yield from (json.loads(line) for line in self._file)


@dataclass
class _Joined:
    """Rows of one content, one for each person: the first of them, and what all say."""

    row: Row
    split: str
    labels: list[GivenLabel] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)
    beside: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)
    count: int = 0

    def add(self, row: Row) -> None:
        """Take what one row says; a preference that is not its people's is a decision."""
        self.count += 1
        self.labels += row.labels
        self.beside.append((sorted(map(name_of, row.labels)), row.meta))
        if row.chosen is not None and row.chosen.text != majority(row.labels):
            self.decided.add(row.chosen.text)

    def whole(self) -> Row:
        """Return the one row, with the preference that all of them add up to."""
        if self.count == 1:
            return self.row
        first, second = self.row.labels[0].sides
        better = majority(self.labels) if not self.decided else None
        if len(self.decided) == 1:
            (better,) = self.decided
        row = replace(self.row, meta=self._meta())
        if better not in (first.text, second.text) or first.text == second.text:
            return replace(row, chosen=None, rejected=None, candidates=(first, second))
        sides = (first, second) if better == first.text else (second, first)
        return replace(row, chosen=sides[0], rejected=sides[1], candidates=())

    def _meta(self) -> dict[str, Any]:
        """What is kept beside all of them; fields that differ as a list, by the people's names."""
        metas = [meta for _, meta in sorted(self.beside, key=lambda one: json.dumps(one))]
        names = sorted({name for meta in metas for name in meta})
        found = {name: [meta[name] for meta in metas if name in meta] for name in names}
        return {
            name: values[0] if all(value == values[0] for value in values) else values
            for name, values in found.items()
        }


def majority(labels: Iterable[GivenLabel]) -> str | None:
    """Return the answer that people prefer, by the rule that labels are decided with.

    Of one person the newest label counts; one who says different things at the same time counts as
    a tie. People without a name are as many as their labels.
    """
    newest: dict[object, tuple[float, set[str | None]]] = {}
    for number, label in enumerate(labels):
        if label.kind in ABSTENTIONS:
            continue
        name = name_of(label)
        who: object = number if name == NAMELESS else name
        at = label.given_at or 0.0
        said = label.winner.text if label.winner else None
        known = newest.get(who)
        if known is None or at > known[0]:
            newest[who] = (at, {said})
        elif at == known[0]:
            known[1].add(said)
    votes = Counter(said.pop() if len(said) == 1 else None for _, said in newest.values())
    ties = votes.pop(None, 0)
    if not votes:
        return None
    (winner, most), *others = votes.most_common()
    return winner if most > sum(count for _, count in others) + ties else None


class LabelledRepeats:
    """Joins rows that are there once for each person who labelled them: one row with all labels.

    From the first row with a label on, rows are held back until all are read: what the source
    prefers is what all people add up to, whoever comes first, and the order of the rows stays.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Joined] = {}
        self._count = 0

    def take(self, row: Row, split: str) -> Row | None:
        """Hold a row back; returns it under the id it gets, None while there were no labels."""
        if not row.labels:
            if self._known:
                self._known[f"row {len(self._known)}"] = _Joined(row, split, count=1)
            return row if self._known else None
        name = _NUMBER.sub("", row.external_id)
        answers = sorted({one.text for label in row.labels for one in label.sides})
        content = json.dumps([name, fingerprint(row), answers])
        key = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        joined = self._known.setdefault(key, _Joined(row, split))
        joined.add(row)
        self._count += joined.count > 1
        return replace(row, external_id=joined.row.external_id)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield the rows that were held back, each with its split."""
        yield from ((joined.split, joined.whole()) for joined in self._known.values())

    def notes(self) -> list[str]:
        """Say how many there were."""
        if not self._count:
            return []
        have = "row repeats" if self._count == 1 else "rows repeat"
        return [
            f"{self._count:,} {have} another one with the label of somebody else: one row, all "
            "labels, and the preference of the majority."
        ]


def names_taken(
    connection: Connection, found: Collection[str], accounts: Collection[str]
) -> set[str]:
    """Find the names of `found` that somebody here has: with an account, or who labels here."""
    folded: dict[str, list[str]] = {}
    for name in found:
        folded.setdefault(name.casefold(), []).append(name)
    if not folded:
        return set()
    own = select(Label.annotator_id).where(func.substr(Label.key, 1, len(KEYS)) != KEYS)
    handed = select(Lease.annotator_id)
    people = select(Annotator.name).where(Annotator.id.in_(own) | Annotator.id.in_(handed))
    here = [*accounts, *connection.execute(people).scalars()]
    return {name for one in here for name in folded.get(one.casefold(), ())}


def check_names(names: Mapping[str, str]) -> None:
    """Refuse names that nobody can have. Raises InputError."""
    for old, new in names.items():
        if not new.strip() or len(new) > LONGEST_NAME or not new.isprintable():
            raise InputError(
                f"{new[:60]!r} cannot be the name of an annotator ({old[:60]}).",
                remedy=f"Use 1 to {LONGEST_NAME} printable characters.",
                field="labels_as",
            )


def _plain(row: Row, label: GivenLabel) -> dict[str, Any]:
    return {
        "item": row.external_id,
        "annotator": name_of(label),
        "sides": [_text(side) for side in label.sides],
        "winner": _text(label.winner) if label.winner else None,
        "at": label.given_at,
        "comment": _storable(label.comment)[:LONGEST],
        "kind": label.kind,
    }


def _text(answer: Answer) -> Text:
    return author_of(answer), text_hash(answer.text)


def _label(
    dataset: str,
    record: Mapping[str, Any],
    names: Mapping[str, str],
    renamed: Mapping[str, str],
    now: float,
) -> ForeignLabel:
    sides = [(side[0], side[1]) for side in record["sides"]]
    winner = record["winner"]
    item = renamed.get(record["item"], record["item"])
    event = LabelEvent(
        key=_key(dataset, item, record),
        pair_id=0,
        annotator=names.get(record["annotator"], record["annotator"]).strip(),
        kind="choose" if winner else record["kind"] or "tie",
        comment=record["comment"],
    )
    return ForeignLabel(
        item=item,
        sides=frozenset(sides),
        winner=(winner[0], winner[1]) if winner else None,
        left=None,
        event=event,
        given_at=now if record["at"] is None else record["at"],
    )


def _key(dataset: str, item: str, record: Mapping[str, Any]) -> str:
    """Make a key that is the same whenever the same label comes."""
    said = [record["annotator"], sorted(record["sides"]), record["winner"], record["at"]]
    said += [record["kind"]] if record["kind"] else []  # keys of labels without one stay
    content = json.dumps([dataset, item, *said, record["comment"]])
    hashed = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{KEYS}{hashed}"[:LONGEST_KEY]
