"""What a script gets of the studio's own text: all it needs, and no more."""

import ast
from types import SimpleNamespace

import pytest

from studio.models import answer_spans
from studio.models.compat import processors
from studio.models.compat.processors import PALIGEMMA_TEMPLATE
from studio.training.script_family_fixes import additions_of, definitions


def names(lines: list[str]) -> set[str]:
    found = set()
    for node in ast.parse("\n".join(lines)).body:
        found |= {getattr(node, "name", "")}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets}
    return found - {""}


def test_a_definition_comes_with_what_it_needs_and_no_more():
    found = names(definitions([(answer_spans, "answer_spans")]))
    assert found == {"answer_spans", "shared_start", "OTHERWISE"}
    whole = names(definitions([(answer_spans, "scored_tokens")]))
    assert {"scored_tokens", "answer_spans", "texts_between", "end_of_first"} <= whole


def test_the_text_runs_by_itself_without_the_studio():
    lines = definitions([(answer_spans, "scored_tokens"), (processors, "MllamaProcessor")])
    text = "\n".join(lines)
    assert "studio" not in text
    made = {"__name__": "script"}
    exec(compile(text, "script", "exec"), made)
    assert list(made["texts_between"]([5, 0, 5, 0], 0)) == [(0, 1), (2, 3), (4, 4)]


def test_a_name_twice_is_defined_once():
    wanted = [(answer_spans, "answer_spans"), (answer_spans, "answer_spans")]
    assert definitions(wanted) == definitions(wanted[:1])


@pytest.mark.parametrize(
    ("template", "calls"),
    [
        (
            PALIGEMMA_TEMPLATE,
            [
                "processor.__class__ = PaliGemmaProcessor",
                "processor.chat_template = PALIGEMMA_TEMPLATE",
            ],
        ),
        ("{{ own }}", ["processor.__class__ = PaliGemmaProcessor"]),
    ],
)
def test_a_family_s_processor_is_completed_as_the_run_s_was(template, calls):
    processor = processors.PaliGemmaProcessor.__new__(processors.PaliGemmaProcessor)
    processor.chat_template = template
    found = additions_of(processor, SimpleNamespace())
    assert found.processor == calls and found.model == []
    assert ("PALIGEMMA_TEMPLATE" in names(found.definitions)) is (len(calls) == 2)


def test_a_family_that_needs_nothing_gets_nothing():
    assert additions_of(SimpleNamespace(), SimpleNamespace()).to_json() == {
        "definitions": [],
        "processor": [],
        "model": [],
    }
    more = additions_of(SimpleNamespace(), SimpleNamespace(), eva=True, earlier_answers=True)
    assert {"start_from_rows", "scored_tokens", "TurnCollator"} <= names(more.definitions)
