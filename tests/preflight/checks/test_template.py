"""Templates that train what is never asked."""

from __future__ import annotations

import pytest

from tests.models.templated_model import (
    ASKED,
    OWN,
    SAID,
    checked,
    finding,
    planned,
    templated,
    written,
)

THINKS = OWN.replace("{{ 'Assistant:' }}", "{{ 'Assistant: <think>\\n' }}")


NO_END = OWN.replace("<end_of_utterance>\n", "\n")


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [(THINKS, "asked_elsewhere", "<think>"), (NO_END, "no_end_token", "may go on without end")],
)
def test_templates_that_train_what_is_not_asked_or_never_ends_warn(
    tmp_path, workspace, template, kind, words
):
    rows = written(tmp_path, [ASKED, SAID])
    plan, _ = planned(templated(tmp_path, template), rows, workspace)
    assert any(words in text for text in plan.warnings)
    found = finding(checked(templated(tmp_path, template), rows, workspace), kind)
    assert found.severity == "warning" and words in found.message and found.remedy
    assert finding(checked("embedded", rows, workspace), kind) is None
