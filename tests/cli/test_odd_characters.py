"""Characters that no terminal can write, in what a command prints."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_name_that_is_no_text_is_told_and_breaks_nothing(tmp_path, more):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"question": "q", "answer": "x", "images": [], "k\\ud800": "v"}\n')
    command = [sys.executable, "-m", "studio", "import", str(source), "--workspace"]
    done = subprocess.run(
        [*command, str(tmp_path / "workspace"), *more], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert "k\\ud800" in done.stdout
    if more:
        assert json.loads(done.stdout)["added"] == 1
