"""Whole runs on the fast path: the curves of stock runs, caches, resumes."""

import pytest

from studio.runs.control import command_file
from studio.runs.event_log import read_events
from studio.training.fast_path import self_check
from studio.training.run_training import execute
from tests.training.fast_pair import OFF, write_rows

IMAGES = [[0], [0, 1], [], [2], [1], [0], [2, 2], []]
METRICS = {"sft": ("loss", "grad_norm"), "dpo": ("loss", "grad_norm", "rewards/margins")}


def events(run, type: str) -> list[dict]:
    return [e.values for e in read_events(run.paths.events).events if e.type == type]


def settings(source: str, method: str, **more) -> dict:
    return {
        "method": method,
        "data": {"source": source, "evaluation": None},
        "batch": {"per_device": 2, "total": 4},
        "schedule": {"epochs": 2, "max_steps": None, "save_every": 100, "log_every": 1},
    } | more


@pytest.fixture(scope="module")
def finished(shared_runner, tmp_path_factory):
    """Runs on the fast path that have finished, and their settings, by method."""
    found = {}
    for method in METRICS:
        values = settings(write_rows(tmp_path_factory.mktemp(method), method, IMAGES), method)
        run, outcome = shared_runner.run(shared_runner.config(**values))
        assert outcome == "finished"
        found[method] = run, values
    return found


@pytest.fixture(scope="module")
def stock_runs(shared_runner, finished):
    """The same on TRL's own path."""
    configs = {m: shared_runner.config(**v, speed=OFF) for m, (_, v) in finished.items()}
    return {method: shared_runner.run(config)[0] for method, config in configs.items()}


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_runs_have_the_curves_of_stock_runs(shared_runner, finished, stock_runs, method):
    """Accumulation, sorted steps, two epochs, filled caches."""
    runner, (fast, _), stock = shared_runner, finished[method], stock_runs[method]
    for name in METRICS[method]:
        expected = runner.values(stock, name)
        assert len(expected) == 4
        assert runner.values(fast, name) == pytest.approx(expected, rel=1e-3, abs=1e-5), name
    assert runner.values(fast, "loss") == pytest.approx(runner.values(stock, "loss"), rel=1e-4)
    (told,) = events(fast, "fast_path")
    assert told["share_images"] and told["share_prompts"] and told["cache_features"]
    assert "feature cache ✓" in told["message"]
    assert not any(event["share_images"] for event in events(stock, "fast_path"))
    assert events(fast, "cache_hits")[0]["features"] == 1.0
    if method == "sft":  # the other finds the features on disk
        stages = [value["stage"] for value in events(fast, "stage")]
        assert stages.index("caching images") < stages.index("training")


def test_evaluation_is_the_same(runner):
    values = {
        "method": "dpo",
        "data": {
            "source": "embedded:preferences",
            "train": "train[:4]",
            "evaluation": "evaluation[:4]",
        },
        "schedule": {"max_steps": 1, "evaluate_every": 1},
    }
    found = []
    for speed in (OFF, {}):
        run, _ = runner.run(runner.config(**values, speed=speed))
        found.append([events(run, "evaluation")[-1][n] for n in ("eval_loss", "eval_entropy")])
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_a_run_resumed_in_mid_epoch_uses_its_caches(runner, finished, monkeypatch):
    undisturbed, values = finished["dpo"]
    config = runner.config(**values)
    run = runner.store.create(config)
    losses = runner.values(undisturbed, "loss")
    command_file.request(run.paths, "stop")
    monkeypatch.setattr(
        "studio.training.run_training.requested", lambda paths: "none"
    )  # seen in a step only
    assert execute(config, run.paths, runner.workspace) == "stopped"
    assert run.has_adapter and runner.values(run, "loss") == pytest.approx(losses[:1])
    command_file.request(run.paths, "none")
    assert execute(config, run.paths, runner.workspace) == "finished"
    assert runner.values(run, "loss") == pytest.approx(losses, abs=1e-4)
    assert events(run, "cache_hits")[-1] == {
        "features": 1.0,
        "features_full": "",
        "reference": round(2 / 3, 4),  # four of twelve rows for the first time
    }


def test_a_difference_on_the_first_rows_means_the_stock_path(
    shared_runner, finished, stock_runs, monkeypatch
):
    runner, (_, values) = shared_runner, finished["sft"]
    monkeypatch.setattr(self_check, "difference", lambda *_: 0.5)
    run, outcome = runner.run(runner.config(**values))
    assert outcome == "finished"
    assert "5.0e-01" in events(run, "warning")[0]["message"]
    assert events(run, "fast_path")[0]["message"].endswith("the first rows differed.")
    assert runner.values(run, "loss") == runner.values(stock_runs["sft"], "loss")


def test_a_wrong_layout_is_noticed(runner, tmp_path, monkeypatch):
    """The check is no formality: positions off by one are seen."""
    from studio.training.fast_path import shared_prompt_forward

    plain = shared_prompt_forward.attention_masks
    monkeypatch.setattr(
        shared_prompt_forward,
        "attention_masks",
        lambda layout, **options: plain(
            layout | {"ancestors": layout["ancestors"] | True}, **options
        ),
    )
    source = write_rows(tmp_path / "rows", "dpo", IMAGES)
    values = settings(source, "dpo", schedule={"max_steps": 1})
    run, _ = runner.run(runner.config(**values))
    assert events(run, "warning")
