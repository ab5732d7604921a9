"""Formats of annotation tools: Argilla, Label Studio, Potato, Prodigy, distilabel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from studio.data.columns import Guess, guess_columns, read_winner, values_at
from studio.data.formats.declaration import USED, Format
from studio.data.record_fields import Record, is_missing
from studio.data.schema import ABSTENTIONS, TIES

Vote = tuple[str, Any, Any]
"""Who said it, what, and when."""
STUDIO = "vlm-studio"
"""Who made a suggestion or a prediction that is what an export of the studio decided."""
SUBMITTED = ("submitted", "completed", None, "")


def _voted(
    columns: Record,
    votes: Iterable[Vote],
    prefix: str = "",
    *,
    decided: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """The roles of a record with two answers in `columns` and what people said of them.

    Args:
        decided: What the tool that wrote it holds for the better answer; it stands above the votes.
    """
    guess = guess_columns(columns)
    guess.pop("winner", None)
    roles: dict[str, Any] = {role: values_at(columns, names) for role, names in guess.items()}
    sides = [guess[role][0] for role in ("first", "second") if role in guess]
    labels = []
    for who, said, when in votes:
        winner = read_winner(said, sides, False) if len(sides) == 2 else None
        if winner is not None:
            labels.append({"annotator": str(who), "winner": winner, "given_at": _seconds(when)})
    better = read_winner(decided, sides, False) if len(sides) == 2 else None
    return {
        **roles,
        "winner": _majority(labels) if better is None else ("first", "second", "tie")[better],
        "labels": labels,
        "sides": sides,
        USED: _used(guess, prefix),
        **more,
    }


def _used(guess: Guess, prefix: str) -> dict[str, str]:
    return {prefix + name: role for role, names in guess.items() for name in names}


def _majority(labels: list[dict[str, Any]]) -> str | None:
    """The side that more people prefer than the other one or neither; None: there is none."""
    counts = Counter(label["winner"] for label in labels)
    for winner, name in ((0, "first"), (1, "second")):
        if counts[winner] > counts[1 - winner] + counts[-1]:
            return name
    return None


def _seconds(when: Any) -> float | None:
    """A time as seconds since the epoch; None for what is none."""
    if isinstance(when, (int, float)):
        return float(when)
    try:
        return datetime.fromisoformat(str(when).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _argilla(record: Record) -> Iterator[dict[str, Any]]:
    fields = {name: value for name, value in record["fields"].items() if not is_missing(value)}
    guess = guess_columns(fields)
    sides = [guess[role][0] for role in ("first", "second") if role in guess]
    # A suggestion of somebody else's model is no decision; it is kept beside the row.
    suggested = [
        _mapping(one).get("value")
        for one in _mapping(record.get("suggestions")).values()
        if _mapping(one).get("agent") == STUDIO
    ]
    decided = next((said for said in suggested if _chooses(said, sides)), None)
    votes = _named(_argilla_votes(record.get("responses"), sides), record.get("metadata"))
    one = _voted(fields, votes, "fields.", decided=decided, id=record.get("id"))
    one[USED] |= {"id": "id", "responses": "labels"}
    yield one


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _chooses(said: Any, sides: list[str]) -> bool:
    """Whether a value names one of two answers, and is no remark."""
    return len(sides) == 2 and read_winner(said, sides, False) in (0, 1)


def _named(votes: list[Vote], metadata: Any) -> list[Vote]:
    """Votes under the names that the record itself keeps, in the order of the votes."""
    names = _mapping(metadata).get("annotators")
    times = _mapping(metadata).get("answered_at") or [None] * len(votes)
    if not isinstance(names, list) or len(names) != len(votes) or len(times) != len(votes):
        return votes
    return [
        (name, said, when) for name, when, (_, said, _) in zip(names, times, votes, strict=True)
    ]


def _argilla_votes(responses: Any, sides: list[str]) -> list[Vote]:
    """Answers to the question that asks for the better answer: by question (2), or by person (1)."""
    by_question: dict[str, list[Vote]] = {}
    for question, given in _mapping(responses).items():
        for one in given if isinstance(given, list) else ():
            if one.get("status") in SUBMITTED:
                vote = (one.get("user_id") or "", one.get("value"), one.get("inserted_at"))
                by_question.setdefault(question, []).append(vote)
    for one in responses if isinstance(responses, list) else ():
        if one.get("status") in SUBMITTED:
            for question, answer in (one.get("values") or {}).items():
                vote = (one.get("user_id") or "", answer.get("value"), one.get("inserted_at"))
                by_question.setdefault(question, []).append(vote)
    for votes in by_question.values():
        if any(_chooses(said, sides) for _, said, _ in votes):
            return votes
    ties = [
        v for v in by_question.values() if all(read_winner(s, sides, False) == -1 for _, s, _ in v)
    ]
    return ties[0] if len(sides) == 2 and ties else []


def _flat_questions(record: Record) -> list[str]:
    return [str(n).removesuffix(".responses") for n in record if str(n).endswith(".responses")]


def _argilla_flat(record: Record) -> Iterator[dict[str, Any]]:
    votes: list[Vote] = []
    used: dict[str, str] = {}
    for question in _flat_questions(record):
        values = record[f"{question}.responses"] or []
        users = record.get(f"{question}.responses.users") or [""] * len(values)
        states = record.get(f"{question}.responses.status") or [None] * len(values)
        votes += [
            (user, value, None)
            for value, user, state in zip(values, users, states, strict=False)
            if state in SUBMITTED
        ]
        used |= {f"{question}.responses": "labels", f"{question}.responses.users": "labels"}
    columns = {name: value for name, value in record.items() if ".responses" not in str(name)}
    one = _voted(columns, votes)
    one[USED] |= used
    yield one


def _label_studio(record: Record) -> Iterator[dict[str, Any]]:
    votes: list[Vote] = []
    for annotation in record.get("annotations") or record.get("completions") or []:
        if annotation.get("was_cancelled"):
            continue
        who = annotation.get("completed_by")
        who = who.get("email") or who.get("id") if isinstance(who, Mapping) else who
        for result in annotation.get("result") or []:
            value = result.get("value") or {}
            said = value.get("selected") or value.get("choices")
            if said:
                votes.append((str(who or ""), said, annotation.get("created_at")))
    predicted = [
        value.get("selected") or value.get("choices")
        for prediction in record.get("predictions") or []
        if prediction.get("model_version") == STUDIO
        for value in (result.get("value") or {} for result in prediction.get("result") or [])
    ]
    decided = next((said for said in predicted if said), None)
    one = _voted(record["data"], votes, "data.", decided=decided)
    one.setdefault("id", record.get("id"))
    one[USED] |= {"id": "id", "annotations[].result[].value": "labels"}
    one[USED] |= {f"annotations[].{name}": "labels" for name in ("completed_by", "created_at")}
    yield one


def _compared(record: Record) -> str | None:
    """The column of a Label Studio table that says left or right."""
    for name, value in record.items():
        if str(value).strip().lower() in ("left", "right"):
            return str(name)
    return None


def _label_studio_table(record: Record) -> Iterator[dict[str, Any]]:
    column = _compared(record)
    said = record.get(column) if column else None
    votes = [(str(record.get("annotator") or ""), said, record.get("created_at"))]
    columns = {name: value for name, value in record.items() if name != column}
    one = _voted(columns, votes if said else [])
    one[USED] |= {name: "labels" for name in (column, "annotator", "created_at") if name}
    yield one


def _potato(record: Record) -> Iterator[dict[str, Any]]:
    columns = {name: v for name, v in record.items() if not str(name).endswith("_annotations")}
    columns.pop("user_id", None)
    if "displayed_text" in columns:
        columns["question"] = columns.pop("displayed_text")
    votes = [
        (str(record.get("user_id") or ""), said, None)
        for said in (record.get("label_annotations") or {}).values()
    ]
    one = _voted(columns, votes)
    one[USED] |= {"user_id": "labels", "label_annotations": "labels"}
    if one[USED].pop("question", None):
        one[USED]["displayed_text" if "displayed_text" in record else "question"] = "question"
    yield one


def _prodigy(record: Record) -> Iterator[dict[str, Any]]:
    options, accepted = record["options"], record.get("accept") or []
    texts = [{"text": option.get("text") or option.get("html")} for option in options]
    names = [option.get("id") for option in options]
    said = record.get("answer", "accept") == "accept" and len(accepted) == 1
    better = names.index(accepted[0]) if said and accepted[0] in names else None
    roles: dict[str, Any] = {
        "image": record.get("image") or record.get("path"),
        "question": record.get("prompt") or record.get("question") or record.get("text"),
        "id": record.get("_task_hash"),
    }
    used = {"image": "image", "path": "image", "prompt": "question", "question": "question"}
    used |= {"text": "question", "_task_hash": "id", "options[].text": "candidates"}
    used |= {"options[].html": "candidates"}
    if len(texts) != 2:
        marks = [int(number == better) for number in range(len(texts))]
        yield {
            **roles,
            "candidates": texts,
            "scores": None if better is None else marks,
            USED: used,
        }
        return
    who = record.get("_annotator_id") or record.get("_session_id") or ""
    label = {
        "annotator": str(who),
        "winner": better,
        "given_at": _seconds(record.get("_timestamp")),
    }
    labels = [] if better is None else [label]
    yield {
        **roles,
        "first": texts[0],
        "second": texts[1],
        "winner": _majority(labels),
        "labels": labels,
        USED: used | {"_annotator_id": "labels", "_timestamp": "labels"},
    }


def _studio_answers(record: Record) -> Iterator[dict[str, Any]]:
    """What one person said of one pair, as the studio's export of answers writes it."""
    columns = {name: record.get(name) for name in ("id", "prompt", "images")}
    if is_missing(columns["prompt"]):
        columns["prompt"] = record.get("question")
    guess = guess_columns({name: v for name, v in columns.items() if not is_missing(v)})
    first, second = record["answers"]
    kind, preferred = str(record["kind"]), record.get("preferred")
    chosen = int(preferred) if kind == "choose" and preferred in (0, 1) else None
    winner = "tie" if kind in TIES else ("first", "second", None)[2 if chosen is None else chosen]
    label = {
        "annotator": str(record["annotator"]),
        "winner": chosen,
        "kind": kind,
        "given_at": _seconds(record["at"]),
        "comment": record.get("comment"),
    }
    said = ("pair", "annotator", "kind", "preferred", "at", "comment")
    yield {
        **{role: values_at(columns, names) for role, names in guess.items()},
        "first": {"text": first["text"]},
        "second": {"text": second["text"]},
        "first_author": first.get("author"),
        "second_author": second.get("author"),
        "winner": winner,
        "labels": [label] if chosen is not None or kind in (*TIES, *ABSTENTIONS) else [],
        USED: _used(guess, "")
        | dict.fromkeys(said, "labels")
        | {"question": "question", "answers": "candidates"},
    }


def _are_two(record: Record) -> bool:
    return len(record["answers"]) == 2 and all("text" in one for one in record["answers"])


_PAIR = {"image": "a.png", "prompt": "Which colour is the bar?"}
FORMATS = (
    Format(
        "VLM Studio answers",
        ("pair", "answers", "annotator", "kind", "at"),
        {
            "pair": 1, "id": "r1", "images": ["a.png"], "question": "Which colour is the bar?",
            "answers": [
                {"text": "It is red.", "author": "m1"}, {"text": "It is grey.", "author": "m2"},
            ],
            "annotator": "ana", "kind": "choose", "preferred": 0, "comment": "",
            "at": "2026-01-02T03:04:05+00:00",
        },
        "a pair with what one person said",
        read=_studio_answers,
        matches=_are_two,
        where="exports.md",
    ),
    Format(
        "Label Studio tasks",
        ("data", "annotations|completions|predictions"),
        {
            "id": 11,
            "data": {**_PAIR, "answer1": "It is red.", "answer2": "It is purple."},
            "annotations": [
                {
                    "id": 5,
                    "completed_by": 1,
                    "created_at": "2026-01-02T03:04:05Z",
                    "result": [
                        {
                            "value": {"selected": "left"},
                            "from_name": "pw",
                            "to_name": "answer1,answer2",
                            "type": "pairwise",
                        }
                    ],
                    "was_cancelled": False,
                }
            ],
            "project": 3,
        },
        "a pair with what people said",
        read=_label_studio,
        matches=lambda record: isinstance(record["data"], dict),
        where="https://labelstud.io/guide/export",
    ),
    Format(
        "Label Studio table",
        ("annotation_id", "annotator"),
        {
            **_PAIR, "answer1": "It is red.", "answer2": "It is grey.", "id": 11, "annotation_id": 5,
            "annotator": 1, "pw": "left", "created_at": "2026-01-02T03:04:05Z", "lead_time": 9.1,
        },
        "a pair with what people said (CSV, JSON-MIN)",
        read=_label_studio_table,
        where="https://labelstud.io/guide/export",
    ),
    Format(
        "Argilla records",
        ("fields", "responses|suggestions|id"),
        {
            "id": "r1",
            "fields": {**_PAIR, "response_a": "It is red.", "response_b": "It is grey."},
            "responses": {"preference": [{"value": "response_a", "user_id": "u1"}]},
            "suggestions": {},
            "metadata": {"batch": "first"},
            "vectors": {},
        },
        "a pair with what people said",
        read=_argilla,
        matches=lambda record: isinstance(record["fields"], dict),
        where="https://docs.argilla.io/latest/how_to_guides/import_export/",
    ),
    Format(
        "Argilla records, flat",
        (),
        {
            "id": "r1", "status": "completed", **_PAIR, "response1": "It is red.",
            "response2": "It is grey.", "preference.responses": ["response1"],
            "preference.responses.users": ["u1"], "preference.responses.status": ["submitted"],
        },
        "a pair with what people said",
        read=_argilla_flat,
        matches=lambda record: bool(_flat_questions(record)),
        where="https://docs.argilla.io/latest/how_to_guides/import_export/",
    ),
    Format(
        "Potato annotations",
        ("label_annotations",),
        {
            "user_id": "ann1", "instance_id": "item_1",
            "displayed_text": "Which colour is the bar?", "image": "a.png",
            "text_a": "It is red.", "text_b": "It is pink.",
            "label_annotations": {"preference": {"A": "true"}}, "span_annotations": [],
        },
        "a pair with what people said",
        read=_potato,
        where="https://potato-annotation.readthedocs.io",
    ),
    Format(
        "Prodigy choices",
        ("options", "accept|answer"),
        {
            **_PAIR,
            "options": [{"id": "A", "text": "It is red."}, {"id": "B", "text": "It is grey."}],
            "accept": ["A"], "answer": "accept", "_annotator_id": "ann1", "_timestamp": 1767323045,
        },
        "a pair with what people said",
        read=_prodigy,
        matches=lambda record: all(
            isinstance(option, dict) and "id" in option for option in record["options"]
        ),
        where="https://prodi.gy/docs/api-interfaces#choice",
    ),
    Format(
        "distilabel generations",
        ("instruction", "generations"),
        {
            "image": "a.png", "instruction": "Which colour is the bar?",
            "generations": ["It is grey.", "It is red."], "generation_models": ["m1", "m2"],
            "ratings": [1, 5], "model_name": "judge",
        },
        "answers with their scores: the best against the worst",
        where="https://distilabel.argilla.io",
    ),
)  # fmt: skip
