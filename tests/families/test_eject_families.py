"""Scripts of families that need more than transformers has; benchmarks/eject.py runs them all."""

import ast

import pytest

from tests.families.ejected import ejected

ADDED = {
    "paligemma": "processor.chat_template = PALIGEMMA_TEMPLATE",
    "ovis2": "processor.__class__ = Ovis2Processor",
    "mllama": "correct_cross_attention(model)",
}


@pytest.mark.parametrize(
    ("family", "method"), [("paligemma", "sft"), ("ovis2", "sft"), ("mllama", "dpo")]
)
def test_the_script_has_what_the_family_lacks_and_trains_as_the_run(
    bench, tmp_path, family, method
):
    found = ejected(bench, family, method, tmp_path)
    assert len(found.run) == 2 and found.run[0] != found.run[1]
    assert found.script == pytest.approx(found.run, abs=1e-4)
    assert ADDED[family] in found.text and "studio" not in found.text
    names = [node.name for node in ast.parse(found.text).body if hasattr(node, "name")]
    assert len(names) == len(set(names))
