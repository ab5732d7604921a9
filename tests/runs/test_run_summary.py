"""What the list says of runs, without parsing each run file every time."""

from studio.config import RunConfig, run_file
from studio.core.paths import Workspace
from studio.runs import run_summary
from studio.runs.run_summary import CardIndex
from studio.runs.store import RunStore


def test_a_card_follows_its_run_file(tmp_path, caplog):
    workspace = Workspace.locate(tmp_path)
    run = RunStore(workspace).create(RunConfig(name="one", method="dpo"))
    index = CardIndex(workspace)
    assert index.get(run.paths).name == "one" and index.get(run.paths).rank
    run_file.save(RunConfig(name="renamed"), run.paths.config)
    assert index.get(run.paths).name == "renamed"
    run.paths.config.write_text("unknown: 1\n")
    assert not index.get(run.paths).readable
    assert str(run.paths.config) in caplog.text and "unknown settings" in caplog.text
    run.paths.config.unlink()
    assert index.get(run.paths) is None


def test_the_index_spares_parsing_and_may_be_broken(tmp_path, monkeypatch):
    workspace = Workspace.locate(tmp_path)
    run = RunStore(workspace).create(RunConfig(name="one"))
    first = CardIndex(workspace)
    first.get(run.paths)
    first.save()
    monkeypatch.setattr(run_summary, "_read", None)
    assert CardIndex(workspace).get(run.paths).name == "one"
    monkeypatch.undo()
    workspace.run_cards.write_text("{torn")
    assert CardIndex(workspace).get(run.paths).name == "one"
