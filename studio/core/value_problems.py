"""What is wrong with a value, in the studio's words: pydantic's are for whoever writes programs.

Each is the second half of a sentence that begins with the name of the setting: "Overlap" + "must be
at least 1".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBER, WHOLE, YES_NO = "must be a number", "must be a whole number", "must be true or false"
TEXT, LIST, SECTION = "must be text", "must be a list", "must be a section with settings in it"
# By pydantic's name of the problem; what it says of it beside that fills the braces.
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no setting",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "int_from_float": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": "has too many digits",
    "int_type": WHOLE,
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "bool_parsing": YES_NO,
    "bool_type": YES_NO,
    "string_type": TEXT,
    "string_unicode": "has characters that no text has",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "list_type": LIST,
    "tuple_type": LIST,
    "set_type": LIST,
    "too_short": "must have at least {min_length} entries, and has {actual_length}",
    "too_long": "can have at most {max_length} entries, and has {actual_length}",
    "dict_type": SECTION,
    "model_type": SECTION,
    "model_attributes_type": SECTION,
    "mapping_type": SECTION,
    "none_required": "must be empty",
    "path_type": "must be a path",
    "json_invalid": "is not valid JSON",
}


def phrase(problem: Mapping[str, Any]) -> str:
    """Say one of `ValidationError.errors()` in words, without the name and a full stop."""
    words = WORDS.get(problem["type"])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    said = words.format_map(dict(problem.get("ctx") or {}))
    return said.replace(" 1 entries", " 1 entry").replace(" 1 characters", " 1 character")


def sentence(name: str, problem: Mapping[str, Any]) -> str:
    """Say a problem as a whole sentence about what is called `name`."""
    between = " " if problem["type"] in WORDS else ": "
    return f"{name}{between}{phrase(problem)}."
