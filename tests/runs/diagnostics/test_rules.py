"""Signs of a run going wrong: seen when they are there, told once, silent when all is well."""

import math
import random

import pytest

from studio.runs.diagnostics.health_watch import HealthWatch
from studio.runs.diagnostics.rules import forgetting

STEPS = 80


def told(metrics, method="sft", batch=16, steps=STEPS):
    """Finding ids, in order, of the first half of a run whose metrics at step s are `metrics(s)`."""
    watch = HealthWatch(method, batch, 2 * steps)
    found = []
    for step in range(1, steps + 1):
        found += watch.see({"step": step, **metrics(step)})
    return [finding.id for finding in found]


def healthy_sft(step):
    noise = random.Random(step).uniform(-0.02, 0.02)
    values = {"loss": 2 * math.exp(-step / 30) + 0.3 + noise, "grad_norm": 1 + noise}
    return values | ({"eval_loss": values["loss"] + 0.05} if step % 10 == 0 else {})


def healthy_dpo(step):
    share = step / STEPS
    return {
        "loss": 0.69 - 0.3 * share,
        "rewards/accuracies": 0.5 + 0.3 * share,
        "rewards/margins": share,
        "rewards/chosen": 0.3 * share,
        "logps/chosen": -40 + 2 * share,
        "drift": 1.0,
    }


def test_a_healthy_run_is_left_in_peace():
    assert told(healthy_sft) == []
    assert told(healthy_dpo, "dpo") == []


@pytest.mark.parametrize("seed", range(6))
def test_noise_is_no_sign(seed):
    """Few rows a step: losses, norms and log-probabilities jump, and nothing is wrong."""
    chance = random.Random(seed)

    def sft(step):
        loss = (0.2 + math.exp(-step / 200)) * chance.lognormvariate(0, 0.8)
        values = {"loss": loss, "grad_norm": chance.lognormvariate(0, 0.7)}
        return values | ({"eval_loss": 0.6 - step / 5000} if step % 50 == 0 else {})

    def dpo(step):
        right = sum(chance.random() < 0.9 for _ in range(2)) / 2
        return {
            "loss": 0.69 * chance.lognormvariate(0, 0.5) - step / 4000,
            "rewards/accuracies": right,
            "rewards/margins": step / 400 + chance.gauss(0, 0.5),
            "rewards/chosen": chance.gauss(0, 0.05),
            "logps/chosen": -abs(chance.gauss(60, 30)),
            "drift": chance.gauss(2, 2),
        }

    assert told(sft, batch=1, steps=400) == []
    assert told(dpo, "dpo", batch=2, steps=400) == ["few-rows"]


def test_what_is_known_by_heart_already_cannot_turn_for_the_worse():
    """Losses of a ten-thousandth of a nat that double are still nothing."""

    def learned(step):
        values = {"loss": 2e-4 + 1e-4 / step, "grad_norm": 1e-3 * (60 if step % 7 == 0 else 1)}
        return values | ({"eval_loss": 2e-4 * step} if step % 10 == 0 else {})

    first = {step: {"loss": 2.0 / step, "grad_norm": 2.0} for step in range(1, 21)}
    assert told(lambda step: first.get(step) or learned(step)) == []


@pytest.mark.parametrize(
    ("before", "after", "sign"),
    [(0.0002, 0.006, False), (0.0, 0.09, False), (0.01, 0.2, True), (90.0, 95.0, False),
     (90.0, 105.0, True), (2.0, 1.0, False)],
)  # fmt: skip
def test_forgetting_needs_answers_that_became_clearly_less_likely(before, after, sign):
    assert (forgetting(before, after) is not None) == sign


def test_chosen_answers_are_compared_with_themselves_where_rewards_tell():
    """The rows of a step differ; a reward is of the same row, β times what it gained."""

    def values(step):
        return {"logps/chosen": -40.0 - step / 2, "rewards/chosen": 0.1 * -3}

    falling = HealthWatch("dpo", 16, 100, beta=0.1)
    ids = [f.id for step in range(1, 31) for f in falling.see({"step": step, **values(step)})]
    assert ids == ["chosen-falls"]
    level = HealthWatch("dpo", 16, 100, beta=0.1)
    for step in range(1, 31):
        assert level.see({"step": step, **values(step), "rewards/chosen": 0.1 * -1}) == []


def test_longer_answers_are_no_sign_where_they_are_what_is_taught():
    watch = HealthWatch("sft", 16, 100)
    for step, length in ((0, {"base_answer_tokens": 5.0}), (10, {}), (20, {}), (30, {})):
        assert watch.see({"step": step, "answer_tokens": 40.0} | length) == []


def turning(step):
    loss = 2.0 - step / 50
    return {"loss": loss} | ({"eval_loss": 1 + abs(step - 30) / 40} if step % 10 == 0 else {})


SIGNS = [
    ("overfitting", "sft", turning),
    ("gap", "sft", turning),
    ("divergence", "sft", lambda step: {"loss": 1.0 if step < 40 else 1.0 + (step - 40) / 5}),
    ("rate-too-low", "sft", lambda step: {"loss": 2.0 + (step % 2) / 1000}),
    ("rate-too-low", "dpo", lambda step: healthy_dpo(0) | {"loss": 0.693}),
    ("rate-too-high", "sft", lambda step: {"loss": 2.0 / step, "grad_norm": 9 if step % 9 else 99}),
    ("chosen-falls", "dpo", lambda step: {"logps/chosen": -40 - step / 2, "rewards/chosen": -step}),
    ("margins", "dpo", lambda step: {"rewards/margins": step / 4, "rewards/accuracies": 1.0}),
    ("saturated", "dpo", lambda step: {"rewards/accuracies": 1.0}),
    ("drift", "dpo", lambda step: {"drift": float(step)}),
]


@pytest.mark.parametrize(("sign", "method", "metrics"), SIGNS)
def test_each_sign_is_seen_and_told_once(sign, method, metrics):
    assert told(metrics, method).count(sign) == 1


def test_a_gap_that_grew_from_below_nothing_is_the_lag_of_a_mean():
    """Training losses that fall fast: the mean of the last ten is above the evaluation at first."""

    losses, scored = (6.0, 2.0, 1.0, 0.4), (4.5, 1.7, 1.2, 0.9)

    def falling(step):
        place = (step - 1) // 10
        return {"loss": losses[place]} | ({} if step % 10 else {"eval_loss": scored[place]})

    assert "gap" not in told(falling, steps=40)


def test_accuracy_over_few_rows_is_said_to_mean_little():
    assert "few-rows" in told(healthy_dpo, "dpo", batch=2)
    assert "few-rows" not in told(healthy_sft, "sft", batch=2)


def test_answers_that_get_longer_are_noticed():
    watch = HealthWatch("dpo", 16, 100)
    assert watch.see({"step": 0, "base_answer_tokens": 10.0}) == []
    assert watch.see({"step": 10, "answer_tokens": 16.0}) == []
    (finding,) = watch.see({"step": 20, "answer_tokens": 18.0})
    assert finding.id == "longer-answers" and "18 tokens, 10 before" in finding.title


@pytest.mark.parametrize(("sign", "method", "metrics"), SIGNS)
def test_every_finding_says_what_it_means_and_what_to_do(sign, method, metrics):
    watch = HealthWatch(method, 16, 2 * STEPS)
    found = [f for step in range(1, STEPS + 1) for f in watch.see({"step": step, **metrics(step)})]
    assert all(finding.meaning and finding.remedy and finding.title for finding in found)
