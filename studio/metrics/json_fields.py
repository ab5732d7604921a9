"""Answers that are JSON, compared key by key with the accepted one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from studio.data.schema import Row
from studio.metrics.chart_answers import read_number
from studio.metrics.exact_match import normalise

TOLERANCE = 0.01
"""Relative difference up to which two numbers count as equal."""

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class FieldScores:
    """How an answer in JSON compares with the right one.

    Attributes:
        right, wrong, missing, extra: Paths of the values: `total`, `items[0].price`.
        invalid: Why the answer is no JSON; empty when it is.
    """

    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    invalid: str = ""

    @property
    def score(self) -> float:
        """Right values over all that are in either; missing and extra ones count against it."""
        keys = len(self.right) + len(self.wrong) + len(self.missing) + len(self.extra)
        if self.invalid:
            return 0.0
        return len(self.right) / keys if keys else 1.0


def compare_fields(prediction: str, answer: str, tolerance: float = TOLERANCE) -> FieldScores:
    """Compare two texts of JSON value by value; the answer's fence ``` is looked into.

    Numbers are equal within `tolerance` of the right one, also when one of them is a text ("3.0");
    other texts after `normalise`; the order of keys does not matter, that of lists does.

    Raises:
        ValueError: The right answer is no object or list.
    """
    right = flat_fields(read_json(answer))
    try:
        given = flat_fields(read_json(prediction))
    except (ValueError, RecursionError) as error:
        return FieldScores(missing=tuple(right), invalid=str(error))
    both = [path for path in right if path in given]
    equal = {path for path in both if same_value(given[path], right[path], tolerance)}
    return FieldScores(
        right=tuple(path for path in both if path in equal),
        wrong=tuple(path for path in both if path not in equal),
        missing=tuple(path for path in right if path not in given),
        extra=tuple(path for path in given if path not in right),
    )


def json_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score the share of right fields, the best over all accepted answers that are JSON."""
    scores = [compare_fields(prediction, answer).score for answer in accepted if is_json(answer)]
    return max(scores) if scores else None


def is_json(text: str) -> bool:
    """Return whether a text is a JSON object or list."""
    try:
        read_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def read_json(text: str) -> dict | list:
    """Return the JSON object or list a text is, within a fence ``` or alone.

    Raises:
        ValueError: It is neither.
    """
    fenced = _FENCE.search(text)
    value = json.loads(fenced[1] if fenced else text)
    if not isinstance(value, dict | list):
        raise ValueError(f"it is {type(value).__name__}, no object or list")
    return value


def flat_fields(value: object, path: str = "") -> dict[str, object]:
    """Return the values of nested JSON by their paths; an empty object or list is a value."""
    if isinstance(value, dict) and value:
        parts = [(f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and value:
        parts = [(f"{path}[{place}]", inner) for place, inner in enumerate(value)]
    else:
        return {path: value} if path else {}
    return {name: leaf for part, inner in parts for name, leaf in flat_fields(inner, part).items()}


def same_value(given: object, right: object, tolerance: float = TOLERANCE) -> bool:
    """Return whether two values of JSON are equal: numbers within `tolerance`, texts normalised."""
    if isinstance(right, bool) or isinstance(given, bool):
        return given is right
    numbers = [_number(value) for value in (given, right)]
    if numbers[0] is not None and numbers[1] is not None:
        return math.isclose(numbers[0], numbers[1], rel_tol=0, abs_tol=tolerance * abs(numbers[1]))
    if isinstance(given, str) and isinstance(right, str):
        return normalise(given) == normalise(right)
    return type(given) is type(right) and given == right


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        # Whole numbers of JSON have no bound, those of computers have.
        return float(value) if abs(value) < 1e300 else None
    return read_number(value.strip()) if isinstance(value, str) else None
