"""A run that trained is finished, wherever its weights could not be pushed."""

import pytest
from huggingface_hub.errors import HTTPError

from studio.core.errors import InputError
from studio.runs.event_log import read_events
from studio.runs.status import read_status
from studio.training.planning.preflight_plan import plan_run
from studio.training.worker import main as worker


class Hub:
    def create_repo(self, *_, **__):
        raise HTTPError("[Errno -2] Name or service not known")


@pytest.mark.parametrize("adapter", [{"rank": 4}, None])
def test_a_failed_push_leaves_a_finished_run(runner, monkeypatch, adapter):
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    config = runner.config(push_to_hub="me/mine", adapter=adapter, schedule={"max_steps": 1})
    run = runner.store.create(config)
    assert worker(run.paths.root) == 0
    status = read_status(run.paths)
    assert (
        status.state == "finished"
        and not status.message
        and runner.store.get(run.run_id).has_adapter
    )
    assert "could not be pushed to me/mine" in status.push_error and status.push_remedy
    events = read_events(run.paths.events).events
    assert [e.values["message"] for e in events if e.type == "warning"][-1] == status.push_error
    assert "HTTPError" in run.paths.log.read_text()
    cards = [run.paths.adapter / "README.md", *run.paths.checkpoints.glob("*/README.md")]
    assert all("base_model" not in card.read_text() for card in cards if card.exists())
    assert cards[0].exists()


def test_while_it_pushes_the_status_says_that_it_has_trained(runner, monkeypatch):
    seen = []

    class Watched(Hub):
        def create_repo(self, *_, **__):
            seen.append(read_status(run.paths))
            super().create_repo()

    monkeypatch.setattr("huggingface_hub.HfApi", Watched)
    run = runner.store.create(runner.config(push_to_hub="me/mine", schedule={"max_steps": 1}))
    assert worker(run.paths.root) == 0
    (during,) = seen
    assert (during.state, during.stage, during.trained) == ("running", "pushing", "finished")


@pytest.mark.parametrize("name", ["my run", "a/b/c", "user/", "../x"])
def test_a_name_that_no_repository_can_have_is_refused_before_training(runner, name):
    with pytest.raises(InputError) as caught:
        plan_run(runner.config(push_to_hub=name), runner.workspace)
    assert caught.value.field == "push_to_hub" and caught.value.remedy
