"""What the studio adds to some families, as source for a script: its own definitions, and calls.

The script gets the very text that the studio runs, with what it needs of its module and no more.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType

from transformers import MllamaForConditionalGeneration, PreTrainedModel, ProcessorMixin

from studio.models import answer_spans
from studio.models.compat import cross_attention, processors
from studio.models.compat.processors import COMPLETED, PALIGEMMA_TEMPLATE
from studio.training import adapter_init as starts
from studio.training import multi_turn_loss

TEMPLATE = "PALIGEMMA_TEMPLATE"


@dataclass(frozen=True)
class Additions:
    """Lines by the place they belong to; all empty for a family that needs nothing.

    Attributes:
        definitions: Imports, constants, functions and classes.
        processor: After the processor, `processor`, is loaded.
        model: What to call with each model that is loaded, by name.
    """

    definitions: list[str] = field(default_factory=list)
    processor: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, list[str]]:
        """Return plain values."""
        return asdict(self)


def additions_of(
    processor: ProcessorMixin,
    skeleton: PreTrainedModel,
    *,
    eva: bool = False,
    earlier_answers: bool = False,
) -> Additions:
    """Return what `studio.models` adds to this processor and to models with these modules.

    Args:
        eva: Whether the adapter gets its start from rows.
        earlier_answers: Whether rows have earlier answers that are scored.
    """
    found, wanted = Additions(), []
    if eva:
        wanted.append((starts, starts.start_from_rows.__name__))
    if earlier_answers:
        wanted.append((answer_spans, answer_spans.scored_tokens.__name__))
        wanted.append((multi_turn_loss, multi_turn_loss.TurnCollator.__name__))
    kind = type(processor)
    if kind in COMPLETED.values():
        wanted.append((processors, kind.__name__))
        found.processor.append(f"processor.__class__ = {kind.__name__}")
        if processor.chat_template == PALIGEMMA_TEMPLATE:
            wanted.append((processors, TEMPLATE))
            found.processor.append(f"processor.chat_template = {TEMPLATE}")
    if isinstance(skeleton, MllamaForConditionalGeneration):
        found.model.append(cross_attention.correct_cross_attention.__name__)
        wanted.append((cross_attention, cross_attention.correct_cross_attention.__name__))
    found.definitions.extend(definitions(wanted))
    return found


def definitions(wanted: Sequence[tuple[ModuleType, str]]) -> list[str]:
    """Return the source lines of names in modules, and of all that they need there; imports first."""
    imports: dict[str, None] = {}
    parts: list[str] = []
    for module in dict.fromkeys(module for module, _ in wanted):
        source = inspect.getsource(module)
        body = ast.parse(source).body
        needed = _closure(body, {name for where, name in wanted if where is module})
        for node in body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imports |= dict.fromkeys(_imports(node, needed))
            elif needed & _defined(node):
                parts += ["", "", *(ast.get_source_segment(source, node) or "").splitlines()]
    return [*imports, *parts]


def _closure(body: list[ast.stmt], names: set[str]) -> set[str]:
    grown = set(names)
    for node in body:
        if _defined(node) & names:
            grown |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return grown if grown == names else _closure(body, grown)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in node.names}
    return set()


def _imports(node: ast.Import | ast.ImportFrom, needed: set[str]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("studio"):
        return  # its text comes along
    node.names = [alias for alias in node.names if (alias.asname or alias.name) in needed]
    if node.names:
        yield ast.unparse(node)
