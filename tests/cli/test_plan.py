"""Plans on the command line."""

from __future__ import annotations

import json

from studio.cli.main import main
from tests.cli.run_files import write


def test_set_changes_the_run_file(tmp_path, capsys):
    path = write(tmp_path, {"batch": {"per_device": 4, "total": 16}})
    code = main(["plan", path, "--set", "batch.total=8", "--json", "--workspace", str(tmp_path)])
    plan = json.loads(capsys.readouterr().out)
    assert code == 0 and plan["effective_batch"] == 8 and plan["accumulation"] == 2
    assert plan["tokens_per_sample"] > 0 and plan["steps"] > 0 and plan["warnings"] == []
    assert 0 < plan["trainable_parameters"] < plan["total_parameters"]
    assert plan["seconds_per_step"] is None and plan["peak_measured"] is None
    assert set(plan["modules"]) == {"vision", "projector", "language", "head"}
    assert plan["modules"]["language"]["trainable"] == plan["trainable_parameters"]
    *parts, total = plan["memory"].values()
    assert list(plan["memory"])[-1] == "total" and total == sum(parts)
