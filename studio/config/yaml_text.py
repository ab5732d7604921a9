"""YAML that people write: how long and how deep it may be, and what is wrong with it, by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

MOST_BYTES, DEEPEST, MOST_VALUES = 256 << 10, 40, 50_000
LONGEST_NUMBER, SHOWN = 100, 40
_TAG = "tag:yaml.org,2002:"
_KINDS = {"int": "whole number", "float": "number", "bool": "yes or no", "timestamp": "date",
          "binary": "base64 text"}  # fmt: skip
# The one in C is fast; the other one takes seconds for a thousand brackets.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """A text that cannot be used; says why, and in which line where that is known."""


def read(path: Path, most: int = MOST_BYTES) -> Any:
    """Read what a file holds. Raises OSError, YamlError."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    try:
        return parse(content.decode("utf-8-sig"), most)
    except UnicodeDecodeError:
        if len(content) > most:
            raise _too_long(most) from None
        raise YamlError("is no text in UTF-8") from None


def parse(text: str, most: int = MOST_BYTES) -> Any:
    """Parse a text: mappings, lists and values.

    Args:
        most: Bytes that it may have.

    Raises:
        YamlError: It is no YAML, too long, too deep, or a value is not what it is said to be.
    """
    try:
        if len(text.encode()) > most:
            raise _too_long(most)
        _check_shape(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join(str(error.problem or error.context or "it cannot be read").split())
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise YamlError(f"is not valid YAML: {where}{problem}") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise YamlError("is not valid YAML: it has characters that no text has") from error


def _too_long(most: int) -> YamlError:
    return YamlError(f"is longer than {most >> 10} KB")


def _check_shape(text: str) -> None:
    """Refuse what is too deep, or too much with all that is named twice, before any of it is made."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        total += 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in [anchor for anchor, _ in open_nodes]:
                raise _refusal(event, f"*{event.anchor} is inside itself")
            total += sizes.get(str(event.anchor), 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
        if len(open_nodes) > DEEPEST:
            raise _refusal(event, f"more than {DEEPEST} lists or mappings are inside each other")
        if total > MOST_VALUES:
            raise _refusal(event, f"there are more than {MOST_VALUES:,} values")


def _refusal(event: yaml.NodeEvent, problem: str) -> ConstructorError:
    mark: Any = event.start_mark  # of the parser in C, where there is one
    return ConstructorError(None, None, problem, mark)


class _Loader(_Base):
    """The safe loader, whose every error says where."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if kind in _KINDS and not isinstance(node, yaml.ScalarNode):
            raise ConstructorError(None, None, f"this is no {_KINDS[kind]}", node.start_mark)
        if kind in ("int", "float") and len(node.value) > LONGEST_NUMBER:
            raise ConstructorError(None, None, "this number is too long", node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            value = node.value if isinstance(node.value, str) else "this"
            shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
            problem = f"{shown!r} is no {_KINDS.get(kind, kind)}"
            raise ConstructorError(None, None, problem, node.start_mark) from error
