"""Records of any format → values by role, with an account of every field."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from studio.core.errors import DataError, first_line
from studio.core.plurals import counted
from studio.data.columns import (
    ASKING,
    AUTHOR_KEYS,
    NAMES,
    RANK_KEYS,
    SCORE_KEYS,
    Guess,
    SourceFacts,
    guess_columns,
    normal_name,
    structured,
    values_at,
)
from studio.data.conversation import ANSWER_KEYS, TURN_KEYS, as_turns, flaw, is_turns
from studio.data.formats import USED, Format, recognise
from studio.data.record_fields import (
    Record,
    get,
    is_missing,
    leaf_paths,
    names_in,
    plain,
    shape_of_record,
    texts_of,
)
from studio.data.row_maker import DEFAULT_QUESTION, REASONING, UNJUDGED, RecordRoles
from studio.data.schema import ACCEPTED, VERDICT, FieldUse, tops

REMEMBERED_SHAPES = 2_000
MOST_FIELDS = 1_000
LONGEST_KEPT = 16_000  # characters of one value beside a row, as JSON
DAMAGED = "its text is damaged"
SHORT = 300
LONGEST_META = 64_000  # of all of them
RESERVED = frozenset({"pair", "votes", "written", ACCEPTED, VERDICT, REASONING})
"""Names in `Row.meta` that mean something here; a source's own fields of these names get a `_`."""
ANSWERING = frozenset({"answer", "chosen", "rejected", "candidates", "first", "conversation"})
EVERYTHING: frozenset[str] = frozenset()
IMAGE_PARTS = frozenset(
    {"bytes", "path", "url", "src", "filename", "file_name", "base64", "image", "data", "image_url"}
)
KNOWN_PARTS: dict[str, frozenset[str]] = {
    "image": IMAGE_PARTS,
    "answer": frozenset({*ANSWER_KEYS, *TURN_KEYS}),
    "accepted": frozenset({*ANSWER_KEYS, *TURN_KEYS}),
    "objects": frozenset({"ref", "bbox"}),
    "choices": EVERYTHING,
    "labels": EVERYTHING,
    "candidates": frozenset({*ANSWER_KEYS, *TURN_KEYS, *AUTHOR_KEYS, *SCORE_KEYS, *RANK_KEYS}),
}
"""Role → the fields of an object that are read; empty: all. Others: those of a turn."""
TURN_PARTS = frozenset({*ANSWER_KEYS, *TURN_KEYS, "system"})
QUESTION_ROLES = frozenset({"question", "conversation"})
QUESTIONS = frozenset({*NAMES["question"], *NAMES["conversation"]})
TEXTS = frozenset(
    {*NAMES["question"], *NAMES["chosen"], *NAMES["rejected"], *NAMES["answer"], *NAMES["context"]}
) - {"answers", "direct_answers", "references", "captions", "sentences"}
"""Columns whose texts may be JSON themselves: they hold one answer, not a list."""
RAW_TOO = ("labels", "winner", "verdict", "scores", "ranks")
"""Roles whose raw values are kept as well: they say more than what is made of them."""


@dataclass
class ShapePlan:
    """How records of one shape are read.

    Attributes:
        used: Leaf path → role.
        kept: Name beside the row → path.
        problem: Why records of this shape cannot be used.
        left_out: How many of its records no row could be made of.
        passing: There are too many shapes to remember this one.
    """

    format: Format | None
    guess: Guess
    constants: Mapping[str, str]
    leaves: tuple[str, ...]
    used: dict[str, str]
    kept: dict[str, str]
    name: str
    names: dict[str, str] = field(default_factory=dict)
    sides: Sequence[str] = ("1", "2")
    zero_based: bool = False
    asks_default: bool = False
    captions: bool = False
    has_image: bool = False
    problem: DataError | None = None
    records: int = 0
    left_out: int = 0
    passing: bool = False


@dataclass
class FieldAccount:
    """What became of the fields of the records read so far.

    Attributes:
        plans: How the first shapes are read; of further ones only what became of their fields.
        lost: Path → why its values were not kept → how often.
        names: The columns of all records, in the order of their appearance, also empty ones.
    """

    plans: list[ShapePlan] = field(default_factory=list)
    without_image: int = 0
    default_asked: int = 0
    lost: dict[str, Counter[str]] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    _rows: Counter[str] = field(default_factory=Counter)
    _kept: Counter[str] = field(default_factory=Counter)
    _left_out: Counter[str] = field(default_factory=Counter)
    _roles: dict[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Say what was noticed, a sentence each."""
        some = [
            (self.without_image, "without an image, though others have one: read as text alone"),
            (self.default_asked, f"without a question of their own ask {DEFAULT_QUESTION!r}"),
        ]
        return [f"{counted(count)} {said}." for count, said in some if count]

    def add(self, plan: ShapePlan, records: int, left_out: int = 0) -> None:
        """Count records of a shape that is not among `plans`."""
        _count(plan, records, left_out, self._rows, self._kept, self._left_out, self._roles)

    def fields(self) -> list[FieldUse]:
        """List every field with its use, in the order of their appearance.

        Beyond `MOST_FIELDS` those that are kept are told of together.
        """
        rows, kept, out = Counter[str](), Counter[str](), Counter[str]()
        roles: dict[str, str] = {}
        for plan in self.plans:
            _count(plan, plan.records, plan.left_out, rows, kept, out, roles)
        rows.update(self._rows)
        kept.update(self._kept)
        out.update(self._left_out)
        roles = self._roles | roles
        filled = {top for path, count in rows.items() if count for top in tops(path)}
        empty = [name for name in self.names if name not in filled]
        uses = [
            self._use(path, count, kept[path], out[path], roles.get(path, ""))
            for path, count in rows.items()
            if count or path not in self.names
        ]
        uses += [FieldUse(name, 0, empty=True) for name in empty]
        named = [use for use in uses if use.role or use.lost]
        rest = [use for use in uses if not use.role and not use.lost]
        if len(uses) <= MOST_FIELDS:
            return uses
        shown = max(0, MOST_FIELDS - len(named))
        more = rest[shown:]
        together = [
            FieldUse(
                f"({len(more):,} more)", max(u.rows for u in more), "", max(u.kept for u in more)
            )
        ]
        return [*named, *rest[:shown], *together] if more else named

    def _use(self, path: str, count: int, kept: int, left_out: int, role: str) -> FieldUse:
        reasons: Counter[str] = Counter()
        for top in dict.fromkeys(tops(path)):
            reasons.update(self.lost.get(top, {}))
        why = reasons.most_common(1)[0][0] if reasons.total() else ""
        left = max(0, kept - sum(reasons.values()))
        if not role and left + left_out < count and not why:
            why = "its name is damaged" if flaw(path) else "nothing reads it"
        return FieldUse(path, count, role, left, why, left_out)


def _count(
    plan: ShapePlan,
    records: int,
    left_out: int,
    rows: Counter[str],
    kept: Counter[str],
    out: Counter[str],
    roles: dict[str, str],
) -> None:
    by_path = set(plan.kept.values())
    for path in plan.leaves:
        rows[path] += records
        out[path] += left_out
        if plan.problem is None and path in plan.used:
            roles.setdefault(path, plan.used[path])
        if plan.problem is None and _is_within(path, by_path):
            kept[path] += records - left_out


def _is_within(path: str, within: set[str]) -> bool:
    return any(start in within for start in tops(path))


class RecordReader:
    """Reads records shape by shape: a file may hold several formats, and columns may come late.

    Args:
        facts: What many rows of the source tell.
        columns: Role → paths, given by hand.
        constants: Role → the text that every row has.
        away: Roles that no column has.
    """

    def __init__(
        self,
        facts: SourceFacts,
        columns: Guess | None = None,
        constants: Mapping[str, str] | None = None,
        away: Iterable[str] = (),
    ) -> None:
        self._facts, self._columns = facts, columns or {}
        self._constants, self._away = constants or {}, frozenset(away)
        self._plans: dict[Hashable, ShapePlan] = {}
        self._verdicts: set[str] = set()
        self.captions = False
        self.account = FieldAccount()
        self._last: ShapePlan | None = None
        self._lost_of_last: list[tuple[str, str]] = []

    def plan(self, record: Record, only_texts: bool = False) -> ShapePlan:
        """Return how records of this shape are read; arguments as for `read`."""
        return self._plan_of(opened(record, only_texts))

    def _plan_of(self, record: Record) -> ShapePlan:
        shape = shape_of_record(record)
        plan = self._plans.get(shape)
        if plan is None:
            try:
                plan = self._new_plan(record)
            except DataError as error:
                leaves = tuple(leaf_paths(record))
                plan = ShapePlan(None, {}, {}, leaves, {}, {}, "", problem=error)
            if len(self._plans) < REMEMBERED_SHAPES:
                self._plans[shape] = plan
                self.account.plans.append(plan)
            else:
                plan.passing = True
        return plan

    def read(self, record: Record, only_texts: bool = False) -> list[RecordRoles]:
        """Return the values of a record by their roles: one set for each row it holds.

        Args:
            only_texts: Its file has only texts: lists are written as JSON (CSV, TSV).

        Raises:
            DataError: It cannot be used.
        """
        self._last = None
        record = opened(record, only_texts)
        plan = self._last = self._plan_of(record)
        self._lost_of_last.clear()
        plan.records += 1
        if not self.account.names.keys() >= record.keys():
            self.account.names |= dict.fromkeys(map(str, record))
        if plan.passing:
            self.account.add(plan, 1)
        if plan.problem is not None:
            raise _empty(record, plan.problem) or plan.problem
        meta = self._meta(record, plan)
        if plan.asks_default or plan.captions:
            self._check_default(record, plan)
        self.account.without_image += not plan.has_image and any(
            p.has_image for p in self.account.plans
        )
        several = [self._roles(values, plan, meta) for values in self._values(record, plan)]
        if self._verdicts and "verdict" not in plan.guess and self._is_unjudged(record):
            several = [replace(one, values={**one.values, "verdict": UNJUDGED}) for one in several]
        return several

    def leave_out(self) -> None:
        """Count the record read last as one of which no row could be made, whatever the reason."""
        plan, self._last = self._last, None
        if plan is None:
            return
        plan.left_out += 1
        if plan.passing:
            self.account.add(plan, 0, 1)
        for path, why in self._lost_of_last:
            self.account.lost[path][why] -= 1

    def _is_unjudged(self, record: Record) -> bool:
        """Whether a record has nothing in a column that judges the answers of others."""
        return any(name in record and is_missing(record[name]) for name in self._verdicts)

    def _check_default(self, record: Record, plan: ShapePlan) -> None:
        """Refuse to invent a question where others have one. Raises DataError."""
        empty = next((n for n in record if normal_name(n) in QUESTIONS), None)
        if empty is not None:
            said = "empty" if isinstance(record[empty], str) else "missing"
            raise DataError(f"the question is {said}.", field=str(empty))
        if plan.asks_default and not self.captions:
            raise no_question(plan)
        self.account.default_asked += 1

    def _roles(
        self, values: dict[str, Any], plan: ShapePlan, meta: dict[str, object]
    ) -> RecordRoles:
        sides = values.pop("sides", None) or plan.sides
        values.pop(USED, None)
        both = (sides[0], sides[1]) if len(sides) > 1 else ("1", "2")
        from_one = self._facts.choices_from_one
        return RecordRoles(values, plan.names, meta, both, plan.zero_based, from_one)

    def _values(self, record: Record, plan: ShapePlan) -> Iterator[dict[str, Any]]:
        """The values of a record by their roles; those that are missing are left out."""
        given = {role: values_at(record, paths) for role, paths in self._columns.items()}
        given |= self._constants
        known = plan.format
        if known is not None and known.read is not None:
            for values in _as_format(known, record):
                yield _there(values | given)
            return
        values = {
            role: record[paths[0]]
            if len(paths) == 1 and paths[0] in record
            else values_at(record, paths)
            for role, paths in plan.guess.items()
        }
        if known is not None and known.uses:
            values |= {role: get(record, path) for path, role in known.uses.items()}
        elif not given:
            yield values  # of columns that this shape has
            return
        yield _there(values | given)

    def _new_plan(self, record: Record) -> ShapePlan:
        by_hand = {path for paths in self._columns.values() for path in paths}
        given = self._columns.keys() | self._constants.keys()
        known = None if given & ASKING else recognise(record)
        rest = {name: value for name, value in record.items() if name not in by_hand}
        guess = {
            role: paths
            for role, paths in guess_columns(rest, self._facts).items()
            if role not in self._away
        }
        if not (known and (known.read or known.uses)) and not guess.keys() & ASKING:
            guess = self._guess_inside(rest, guess)
        guess |= self._columns
        if "question" in self._columns or "question" in self._constants:
            guess.pop("conversation", None)
        if "conversation" in self._columns:
            guess = {r: paths for r, paths in guess.items() if r not in ("question", "candidates")}
        roles = set(guess)
        if known and known.read:
            first = next(iter(_as_format(known, record)), {})
            roles = {role for role, value in first.items() if not is_missing(value)}
            guess = dict(self._columns)
        leaves = tuple(leaf_paths(record))
        used = self._used(record, known, guess, leaves)
        if known and known.uses:
            roles |= set(known.uses.values())
        plan = ShapePlan(
            known, guess, self._constants, leaves, used, _kept(record, leaves, used), ""
        )
        plan.names = {role: names[0] for role, names in guess.items()}
        plan.sides = (plan.names.get("first", "1"), plan.names.get("second", "2"))
        plan.zero_based = plan.names.get("winner", "") in self._facts.zero_based
        plan.name = describe(known, guess, roles, record)
        asking = roles | set(self._constants)
        asks = bool(asking & QUESTION_ROLES) or _asks_in_answers(self._values(record, plan))
        plan.has_image = bool({"image", "video"} & asking)
        plan.asks_default = not asks and plan.has_image and not asking & ANSWERING
        plan.captions = not asks and plan.has_image and bool(asking & ANSWERING)
        self.captions |= plan.captions
        self._verdicts |= set(guess.get("verdict", ()))
        plan.problem = self._problem(asking, asks, record, plan)
        return plan

    def _guess_inside(self, record: Record, guess: Guess) -> Guess:
        """Guess once more with the fields of objects as columns: `data.question`."""
        flat: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, dict):
                flat |= {f"{name}.{inner}": part for inner, part in value.items()}
            else:
                flat[name] = value
        paths = {path.rpartition(".")[2]: path for path in flat}
        found = guess_columns({name: flat[path] for name, path in paths.items()}, self._facts)
        if not found.keys() & ASKING:
            return guess
        return {
            role: tuple(paths[name] for name in names)
            for role, names in found.items()
            if role not in self._away
        }

    def _used(
        self, record: Record, known: Format | None, guess: Guess, leaves: Sequence[str]
    ) -> dict[str, str]:
        read: dict[str, str] = {path: role for role, paths in guess.items() for path in paths}
        if known is not None:
            read |= known.uses
            for values in _as_format(known, record) if known.read else ():
                read |= values.get(USED, {})
        used = {}
        for leaf in leaves:
            for top, role in read.items():
                if leaf == top or (_is_within(leaf, {top}) and _is_read(record, leaf, top, role)):
                    used[leaf] = role
                    break
        return used

    def _meta(self, record: Record, plan: ShapePlan) -> dict[str, object]:
        """What is kept beside the row; what is not is counted with its reason."""
        meta: dict[str, object] = {}
        room = LONGEST_META
        for name, path in plan.kept.items():
            value = record[path] if path in record else get(record, path)
            if _is_short(value):
                size, why = SHORT, ""  # nearly all values: nothing to check or to change
            else:
                value, size, why = _keepable(value)
            if not why and size > room:
                why = "the row has too much beside it"
            if why:
                self.account.lost.setdefault(path, Counter())[why] += 1
                self._lost_of_last.append((path, why))
                continue
            room -= size
            meta[name] = value
        packed = meta.get("meta")
        if isinstance(packed, str) and plan.guess.get("id") == ("id",):
            meta.pop("meta")
            meta |= _unpacked(packed)
        return meta

    def _problem(
        self, roles: set[str], asks: bool, record: Record, plan: ShapePlan
    ) -> DataError | None:
        """Why records of this shape cannot be read; None when they can."""
        columns = [str(name) for name, value in record.items() if not is_missing(value)]
        there = f"the columns are: {', '.join(columns) or 'none'}"
        if "chosen" in roles and "rejected" not in roles:
            return DataError(
                "No column holds the rejected answers.",
                remedy=f"Map it; {there}.{_nearest('rejected', columns)}",
                field="data.columns.rejected",
            )
        if "rejected" in roles and not roles & {"chosen", "answer", "conversation"}:
            return DataError(
                "No column holds the chosen answers.",
                remedy=f"Map it; {there}.{_nearest('chosen', columns)}",
                field="data.columns.chosen",
            )
        if not asks and not plan.has_image:
            return DataError(
                "No column was recognised as the question or the image.",
                remedy=f"Map them; {there}.",
                field="data.columns.question",
            )
        if not asks and (unread := _unread_texts(record, plan)):
            return DataError(
                f"No column was recognised as the question, and nothing reads {unread}.",
                remedy=f"Map the question; {there}. Or give one for all rows: "
                f"question=={DEFAULT_QUESTION}",
                field="data.columns.question",
            )
        return None


def opened(record: Record, only_texts: bool) -> Record:
    """Read the values of a record that are lists and objects written as text.

    An answer that is itself JSON stays a text, unless the file can hold nothing else.
    """
    changed: dict[str, Any] = {}
    for name, value in record.items():
        if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{") or name == "meta":
            continue
        found = structured(value)
        if isinstance(found, str):
            continue
        held = isinstance(found, list) and (only_texts or isinstance(found[:1] and found[0], dict))
        held |= isinstance(found, dict) and "messages" in found  # OpenAI's `input`
        if normal_name(name) not in TEXTS or held:
            changed[name] = found
    return {**record, **changed} if changed else record


def _there(values: dict[str, Any]) -> dict[str, Any]:
    return {role: value for role, value in values.items() if role == USED or not is_missing(value)}


def _as_format(known: Format, record: Record) -> list[dict[str, Any]]:
    """Read a record as a format. Raises DataError: a field is not what the format has there."""
    try:
        return list(known.read(record)) if known.read else []
    except (AttributeError, TypeError, KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"it looks like {known.name}, but a field is not what it is there: {first_line(error)}"
        ) from error


def no_question(plan: ShapePlan) -> DataError:
    """Make the refusal of images that nobody asks anything about."""
    unread = f"; nothing reads {', '.join(map(repr, plan.kept))}" if plan.kept else ""
    return DataError(
        f"These are images without a question{unread}.",
        remedy=f"Give one for all of them, as the column of the question: ={DEFAULT_QUESTION} "
        f"(on the command line: --column 'question=={DEFAULT_QUESTION}').",
        field="data.columns.question",
    )


def _asks_in_answers(values: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the answers are whole conversations, which ask what they answer."""
    first = next(iter(values), {})
    sides = (structured(first.get(role)) for role in ("chosen", "rejected", "first"))
    return any(len(as_turns(side) or ()) > 1 for side in sides)


def _is_read(record: Record, leaf: str, top: str, role: str) -> bool:
    """Whether a field inside a used one is read: those of a turn, an answer, an image are."""
    value = structured(get(record, top)) if role == "candidates" and "[]" not in top else None
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return True  # answers by their authors
    known = KNOWN_PARTS.get(role, TURN_PARTS)
    key = leaf[len(top) :].replace("[]", "").rpartition(".")[2]
    return not known or not key or key in known


def _kept(record: Record, leaves: Sequence[str], used: Mapping[str, str]) -> dict[str, str]:
    """Name → path of what is kept: whole columns nothing is read of, else the single fields."""
    read = {leaf for leaf, role in used.items() if role not in RAW_TOO}
    kept: dict[str, str] = {}
    within: dict[str, list[str]] = {}
    for leaf in leaves:
        for start in dict.fromkeys(tops(leaf)):
            within.setdefault(start, []).append(leaf)
    for name, value in record.items():
        inside = within.get(str(name), [])
        if is_missing(value) or not inside:
            continue
        if not any(leaf in read for leaf in inside):
            kept[str(name)] = str(name)
        else:
            kept |= {leaf.replace("[]", ""): leaf for leaf in inside if leaf not in read}
    return {
        f"{name}_" if name in RESERVED else name: path
        for name, path in kept.items()
        if not flaw(name)
    }


def _is_short(value: Any) -> bool:
    """Whether a value is a short plain text or a number, which can be kept as it is."""
    kind = type(value)
    if kind is str:
        return len(value) < SHORT and value.isascii() and "\0" not in value
    return kind is int or kind is bool or (kind is float and math.isfinite(value))


def _keepable(value: Any) -> tuple[object, int, str]:
    """A value as plain JSON with its length, or why it cannot be kept."""
    try:
        kept = plain(value)
        size = len(json.dumps(kept, ensure_ascii=False))
    except (ValueError, RecursionError) as error:
        return None, 0, f"it is {error}" if isinstance(error, ValueError) else "nested too deeply"
    if size > LONGEST_KEPT:
        return None, size, f"it is longer than {LONGEST_KEPT:,} characters"
    if any(flaw(text) for text in (*names_in(kept), *texts_of(kept))):
        return None, size, DAMAGED
    return kept, size, ""


def _unpacked(text: str) -> dict[str, object]:
    """The `meta` column of an export, or the text itself when it is something else."""
    try:
        meta = json.loads(text)
    except ValueError:
        return {"meta": text}
    return meta if isinstance(meta, dict) else {"meta": text}


def _empty(record: Record, problem: DataError) -> DataError | None:
    """The reason where a column is there for what is missing, with nothing in it."""
    role = problem.field.removeprefix("data.columns.")
    for name, value in record.items():
        if normal_name(name) in NAMES.get(role, ()) and is_missing(value):
            said = "empty" if isinstance(value, str) and not value.strip() else "missing"
            return DataError(f"{name} is {said}.", field=str(name))
    return None


def _nearest(role: str, columns: Sequence[str]) -> str:
    for name in NAMES[role]:
        if near := get_close_matches(name, columns, 1, cutoff=0.7):
            return f" Is it {near[0]!r}?"
    return ""


def _unread_texts(record: Record, plan: ShapePlan) -> str:
    """Names of columns that hold sentences nothing reads; empty when there are none."""
    names = [
        repr(name)
        for name, path in plan.kept.items()
        if isinstance(value := get(record, path), str)
        and len(value) >= 12
        and " " in value.strip()
        and not value.startswith(("http://", "https://"))
    ]
    return ", ".join(names[:5])


def what_of(roles: set[str]) -> str:
    """Say in a few words what rows with these roles are."""
    if {"chosen", "rejected"} & roles or {"first", "winner"} <= roles:
        return "preferences"
    if {"candidates", "first"} & roles:
        return "questions with candidate answers"
    if "verdict" in roles:
        return "answers called good or bad"
    if "conversation" in roles:
        return "conversations"
    if "answer" in roles:
        return "questions and answers" if "question" in roles else "images with captions"
    return "questions without answers" if "question" in roles else "images without answers"


def describe(known: Format | None, guess: Guess, roles: set[str], record: Record) -> str:
    """Say in a few words what a record is: "LLaMA-Factory / ShareGPT preferences"."""
    what = what_of(roles)
    if known is not None:
        return known.name.format(what=what)
    if "conversation" in guess:
        return f"TRL messages: {what}"
    for role in ("question", "chosen"):
        if role in guess and is_turns(structured(values_at(record, guess[role]))):
            return f"TRL conversational {what}"
    return what[0].upper() + what[1:]
