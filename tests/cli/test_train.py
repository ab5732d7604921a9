"""Training and queueing from the command line: what cannot run is refused by field."""

from __future__ import annotations

import pytest

from studio.cli.main import main
from studio.core.paths import Workspace
from studio.runs.store import RunStore
from tests.cli.run_files import write


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch": {"per_devise": 1}}, "batch.per_device"),
        ({"adapter": None, "model": {"quantization": "nf4"}}, "adapter"),
        ({"data": {"source": "/no/such/rows.jsonl"}}, "data.source"),
        ({"model": {"id": "/no/such/model"}}, "model.id"),
    ],
)
def test_bad_run_files_exit_with_2_and_name_the_field(tmp_path, capsys, values, said):
    workspace = tmp_path / "workspace"
    code = main(["train", write(tmp_path, values), "--workspace", str(workspace)])
    captured = capsys.readouterr()
    assert code == 2 and said in captured.err and "Traceback" not in captured.err
    assert captured.out == "" and list((workspace / "runs").glob("*")) == []


def test_a_dry_run_that_is_refused_leaves_no_run(tmp_path, capsys):
    values = {"data": {"source": "embedded:sft"}}
    values["launch"] = {"engine": "hf-jobs:t4-small", "secrets": []}
    workspace = ["--workspace", str(tmp_path / "workspace")]
    assert main(["submit", write(tmp_path, values), "--dry-run", *workspace]) == 2
    assert "launch.secrets" in capsys.readouterr().err
    assert RunStore(Workspace.locate(tmp_path / "workspace")).list() == []
