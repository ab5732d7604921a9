"""Which column is what: guessed from names and values, overruled by an explicit mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from studio.core.errors import DataError
from studio.data.conversation import is_turns

NAMES: dict[str, tuple[str, ...]] = {
    "image": (
        "image", "images", "image_path", "image_paths", "img", "picture", "file_name",
        "filename", "image_file", "image_bytes", "photo", "file", "image_base64", "image_url",
    ),
    "conversation": ("messages", "conversations", "conversation"),
    "question": ("question", "query", "prompt", "instruction", "problem"),
    "chosen": ("chosen", "chosen_response", "preferred"),
    "rejected": ("rejected", "rejected_response", "dispreferred"),
    "candidates": ("candidates", "responses", "completions", "outputs", "answers"),
    "answer": (
        "answer", "label", "multiple_choice_answer", "completion", "response", "output",
        "answers", "solution", "ground_truth", "caption", "text",
    ),
    "system": ("system", "system_prompt"),
    "id": ("id", "question_id", "uid", "idx", "index"),
    "chosen_author": ("chosen_author", "chosen_model"),
    "rejected_author": ("rejected_author", "rejected_model"),
    "answer_author": ("answer_author", "completion_author", "answer_model"),
}  # fmt: skip
SAME_ROLE = {
    "images": "image",
    "prompt": "question",
    "query": "question",
    "label": "answer",
    "completion": "answer",
    "messages": "conversation",
    "conversations": "conversation",
}


def guess_columns(
    columns: Sequence[str], samples: Sequence[Mapping[str, object]]
) -> dict[str, str]:
    """Guess which column has which role, from the names and the first values."""
    lowered = {name.lower(): name for name in reversed(columns)}
    guessed: dict[str, str] = {}
    for role, names in NAMES.items():
        for name in names:
            column = lowered.get(name)
            if not column or column in guessed.values():
                continue
            values = (sample.get(column) for sample in samples)
            if _fits(role, next((value for value in values if value not in (None, "", [])), None)):
                guessed[role] = column
                break
    if "conversation" in guessed:
        for role in ("question", "answer", "candidates"):
            guessed.pop(role, None)
    if "candidates" in guessed and "chosen" in guessed:
        guessed.pop("candidates")
    return guessed


def map_columns(
    columns: Sequence[str],
    samples: Sequence[Mapping[str, object]],
    explicit: Mapping[str, str] | None,
) -> dict[str, str]:
    """Lay `explicit` (role → column) over the guess; an empty name: no column has the role.

    Raises:
        DataError: For a role there is none of, or a column that is not there; `field` is
            `data.columns.<role>`.
    """
    for role, name in (explicit or {}).items():
        _check(role, name, columns)
    given = {SAME_ROLE.get(role, role): name for role, name in (explicit or {}).items()}
    chosen = {role: name for role, name in given.items() if name}
    rest = [name for name in columns if name not in chosen.values()]
    guessed = guess_columns(rest, samples)
    guessed = {role: name for role, name in guessed.items() if given.get(role) != ""}
    if "question" in chosen:
        guessed.pop("conversation", None)
    if "conversation" in chosen:
        guessed = {
            k: v for k, v in guessed.items() if k not in ("question", "answer", "candidates")
        }
    return guessed | chosen


def _check(role: str, name: str, columns: Sequence[str]) -> None:
    field = f"data.columns.{role}"
    roles = (*NAMES, *SAME_ROLE)
    if role not in roles:
        near = get_close_matches(role, roles, 1)
        raise DataError(
            f"There is nothing called {role!r} to map a column to.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Use one of: {', '.join(NAMES)}.",
            field=field,
        )
    if name and name not in columns:
        near = get_close_matches(name, columns, 1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise DataError(
            f"There is no column {name!r}.",
            remedy=f"{hint}The columns are: {', '.join(columns)}.",
            field=field,
        )


def _fits(role: str, value: object) -> bool:
    if role == "conversation":
        return is_turns(value)
    if role == "candidates":
        return _is_candidates(value)
    if role in ("id", "system"):
        return isinstance(value, (str, int)) and not isinstance(value, bool)
    return True


def _is_candidates(value: object) -> bool:
    """Several answers with their authors; a plain list of strings is one reference answer."""
    if isinstance(value, dict):
        return len(value) > 1 and all(isinstance(text, str) for text in value.values())
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(part, dict) and "text" in part for part in value)
    )
