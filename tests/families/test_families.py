"""Every family loads, takes an SFT and a DPO step, and answers; the plan knew its numbers."""

import math

import pytest

from studio.train.fast.families import FAMILIES as PROVED
from tests.families.build import FAMILIES

METHODS = ("sft", "dpo")


@pytest.fixture(params=FAMILIES)
def trial(request, trial_of):
    return trial_of(request.param)


def test_one_step_and_an_answer(trial):
    for method in METHODS:
        step = trial.steps[method]
        assert math.isfinite(step.loss), method
        assert step.moved == 1.0, method
    assert trial.steps["dpo"].loss == pytest.approx(math.log(2), rel=1e-3)
    assert trial.answer.done and trial.answer.stopped in ("length", "end")
    assert set(trial.steps["sft"].towers) == set(trial.steps["dpo"].towers) == {"language"}

    assert math.isfinite(trial.quantized.loss) and trial.quantized.moved == 1.0
    assert trial.quantized.modules["language"] > 0 and "head" not in trial.quantized.modules
    assert trial.quantized.loss == pytest.approx(trial.steps["sft"].loss, rel=0.05)

    fast = trial.steps["dpo"].fast_path
    proved = trial.kind in PROVED
    assert fast.values["share_images"] is proved and fast.values["share_prompts"] is proved
    assert proved or f"because {trial.kind} is not among" in fast.values["message"]


def test_the_plan_is_exact(trial):
    for method in METHODS:
        plan = trial.steps[method].plan
        planned = {tower["name"]: tower for tower in plan["towers"]}
        totals = {name: tower["total"] for name, tower in planned.items()}
        trainable = {name: tower["trainable"] for name, tower in planned.items()}
        assert {n: c for n, c in totals.items() if c} == trial.parameters
        assert {n: c for n, c in trainable.items() if c} == trial.trainable
        assert plan["total_parameters"] == sum(trial.parameters.values())
        assert plan["trainable_parameters"] == sum(trial.trainable.values())
        assert planned["language"]["matched"] == trial.steps[method].towers["language"]
    assert {"vision", "projector", "language"} <= set(trial.parameters)
