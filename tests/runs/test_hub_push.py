"""A push that fails leaves a finished run that says so; trying again puts it right."""

import pytest
from filelock import FileLock
from huggingface_hub import ModelCard
from huggingface_hub.errors import HTTPError, LocalTokenNotFoundError

from studio.cli.main import main
from studio.config import RunConfig, run_file
from studio.core.errors import BusyError, RunFailedError
from studio.core.paths import Workspace, write_json
from studio.runs import hub_push
from studio.runs.checkpoints import MARKER
from studio.runs.control import command_file
from studio.runs.control.commands import enforce_stop, mark_dead
from studio.runs.event_log import read_events
from studio.runs.held_out_result import HeldOutResult
from studio.runs.status import read_status, update_status
from studio.runs.store import RunStore
from studio.ui.runs.actions import fitting
from studio.ui.runs.state import RunReader

TOKEN = "hf_" + "a1B2c3D4" * 4
LOCAL = """---
base_model: /home/me/models/tiny
library_name: peft
pipeline_tag: text-generation
tags:
- base_model:adapter:/home/me/models/tiny
- lora
---

# Model Card for Model ID
"""


class Hub:
    """Takes folders, or answers with an error."""

    def __init__(self, answer=None):
        self.answer = answer
        self.cards = []

    def create_repo(self, repository, private, exist_ok):
        assert private and exist_ok

    def upload_folder(self, repo_id, folder_path):
        self.cards.append((folder_path / "README.md").read_text())
        if self.answer is not None:
            raise self.answer


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path / "workspace"))


@pytest.fixture
def run(store):
    made = store.create(RunConfig(name="mine", method="dpo", push_to_hub="me/mine"))
    made.paths.adapter.mkdir()
    (made.paths.adapter / "README.md").write_text(LOCAL)
    write_json(made.paths.adapter / MARKER, {"kind": "adapter", "step": 1, "base": "embedded"})
    update_status(made.paths, state="finished")
    return store.get(made.run_id)


@pytest.mark.parametrize(
    "error",
    [
        HTTPError(f"Connection refused with {TOKEN}"),
        OSError("Network is unreachable"),
        LocalTokenNotFoundError("Token is required"),
        ValueError('- Error in metadata: "base_model" is not valid'),
    ],
)
def test_every_failure_is_a_sentence_and_a_traceback_in_the_log(run, error):
    with pytest.raises(RunFailedError, match="could not be pushed to me/mine"):
        hub_push.push_weights(run.config, run.paths, "me/mine", Hub(error))
    status = read_status(run.paths)
    assert status.state == "finished" and not status.pushed
    assert "saved here" in status.push_error and f"runs push {run.run_id}" in status.push_remedy
    log = run.paths.log.read_text()
    assert "Traceback" in log and type(error).__name__ in log
    assert TOKEN not in log + status.push_error


def test_a_later_push_takes_the_failure_back(run):
    with pytest.raises(RunFailedError):
        hub_push.push_weights(run.config, run.paths, "me/mine", Hub(ValueError("no")))
    address = hub_push.push_weights(run.config, run.paths, "me/mine", Hub())
    status = read_status(run.paths)
    assert status.pushed == address == "https://huggingface.co/me/mine"
    assert not status.push_error and not status.push_remedy


def test_the_card_names_a_hub_model_or_none(run):
    hub = Hub()
    hub_push.push_weights(run.config, run.paths, "me/mine", hub)
    data = ModelCard(hub.cards[0]).data
    assert data.base_model is None and "/home/me" not in hub.cards[0]
    assert data.tags == ["dpo", "lora", "trl"] and data.library_name == "peft"
    assert data.pipeline_tag == "image-text-to-text"
    named = run_file.parse({"model": {"id": "HuggingFaceTB/SmolVLM-Instruct"}})
    hub_push.push_weights(named, run.paths, "me/mine", hub)
    data = ModelCard(hub.cards[1]).data
    assert data.base_model == "HuggingFaceTB/SmolVLM-Instruct"
    assert "base_model:adapter:HuggingFaceTB/SmolVLM-Instruct" in data.tags


def test_the_card_tells_once_what_came_of_held_out_rows(run):
    figure = {"value": 0.98, "low": 0.95, "high": 0.99}
    found = HeldOutResult(
        "measured", against="base", sentence="Exact match 2 % → 98 % on 64 held-out rows", rows=64,
        metrics={"exact_match": figure}, paired={"exact_match": {"difference": 0.96}},
    )  # fmt: skip
    for _ in range(2):
        hub_push.write_card(run.config, run.paths.adapter, found)
    text = (run.paths.adapter / "README.md").read_text()
    assert text.count("## Results on held-out rows") == 1
    assert "| Exact match | 98.0 % | 95.0 % to 99.0 % | +96.0 points |" in text
    hub_push.write_card(run.config, run.paths.adapter)
    text = (run.paths.adapter / "README.md").read_text()
    assert "held-out" not in text and "# Model Card" in text


def test_all_weights_get_a_card_too(run):
    hub = Hub()
    (run.paths.adapter / "README.md").unlink()
    whole = run_file.parse({"name": "whole", "adapter": None})
    hub_push.push_weights(whole, run.paths, "me/mine", hub)
    assert ModelCard(hub.cards[0]).data.library_name == "transformers"


def test_folders_of_this_machine_leave_every_card(run):
    hub_push.hide_local_base(run.paths.adapter)
    text = (run.paths.adapter / "README.md").read_text()
    assert "/home/me" not in text and "lora" in text
    named = LOCAL.replace("/home/me/models/tiny", "o/m")
    (run.paths.adapter / "README.md").write_text(named)
    hub_push.hide_local_base(run.paths.adapter)
    assert "base_model: o/m" in (run.paths.adapter / "README.md").read_text()


def test_one_push_at_a_time(run):
    assert not hub_push.push_under_way(run.paths)
    with FileLock(run.paths.push_lock):
        assert hub_push.push_under_way(run.paths)
        with pytest.raises(BusyError):
            hub_push.push_weights(run.config, run.paths, "me/mine", Hub())
    assert not hub_push.push_under_way(run.paths)


def test_the_command_pushes_again_and_says_what_came_of_it(run, store, monkeypatch, capsys):
    hub = Hub(HTTPError("Connection refused"))
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    command = ["runs", "push", run.run_id, "--workspace", str(store.workspace.root)]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "could not be pushed to me/mine: Connection refused" in said and "Traceback" not in said
    hub.answer = None
    assert main([*command, "--to", "me/other"]) == 0
    assert "https://huggingface.co/me/other" in capsys.readouterr().err
    update_status(run.paths, state="running")
    assert main(command) == 1 and "is going on already" in capsys.readouterr().err


def test_without_a_repository_it_asks_where_to(store, capsys):
    made = store.create(RunConfig(name="mine"))
    made.paths.adapter.mkdir()
    write_json(made.paths.adapter / MARKER, {"kind": "adapter", "step": 1, "base": "embedded"})
    update_status(made.paths, state="finished")
    assert main(["runs", "push", made.run_id, "--workspace", str(store.workspace.root)]) == 2
    assert "--to USER/NAME" in capsys.readouterr().err


@pytest.mark.parametrize("trained", ["finished", "stopped"])
def test_a_worker_killed_while_it_pushes_leaves_the_run_as_it_had_trained(run, store, trained):
    update_status(run.paths, state="running", stage="pushing", trained=trained, step=1)
    run.paths.log.write_text("Killed\n")
    mark_dead(run.paths)
    found = store.get(run.run_id)
    assert found.status.state == trained and not found.status.message and found.status.ended
    assert "saved here" in found.status.push_error
    assert f"runs push {run.run_id}" in found.status.push_remedy
    (summary,) = RunReader(store).list()
    assert "push" in fitting(summary)
    told = [(e.type, e.values.get("message")) for e in read_events(run.paths.events).events]
    assert told[-2:] == [("warning", found.status.push_error), (trained, None)]
    hub_push.push_weights(run.config, run.paths, "me/mine", Hub())
    assert read_status(run.paths).pushed and not read_status(run.paths).push_error


def test_stop_now_while_it_pushes_ends_the_push_only(run, store, monkeypatch):
    monkeypatch.setattr("studio.runs.control.commands.STOP_GRACE", 0.0)
    update_status(run.paths, state="running", stage="pushing", trained="finished")
    command_file.request(run.paths, "stop_now")
    enforce_stop(store.get(run.run_id))
    status = read_status(run.paths)
    assert status.state == "finished" and status.push_error
