"""Signs of a run going wrong: seen when they are there, told once, silent when all is well."""

import math
import random

import pytest

from studio.runs.events import Event
from studio.runs.health import HealthWatch

STEPS = 80


def told(metrics, method="sft", batch=16, total=2 * STEPS):
    """Finding ids, in order, of a run whose metrics at step s are `metrics(s)`."""
    watch = HealthWatch(method, batch, total)
    found = []
    for step in range(1, STEPS + 1):
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


def test_accuracy_over_few_rows_is_said_to_mean_little():
    assert "few-rows" in told(healthy_dpo, "dpo", batch=2)
    assert "few-rows" not in told(healthy_sft, "sft", batch=2)


def test_answers_that_get_longer_are_noticed():
    watch = HealthWatch("dpo", 16, 100)
    assert watch.see({"step": 0, "base_answer_tokens": 10.0}) == []
    assert watch.see({"step": 10, "answer_tokens": 16.0}) == []
    (finding,) = watch.see({"step": 20, "answer_tokens": 18.0})
    assert finding.id == "longer-answers" and "18 tokens, 10 before" in finding.title


def test_what_was_told_before_a_resume_is_not_told_again():
    watch = HealthWatch("dpo", 2, 100)
    (finding,) = watch.see({"step": 1, "rewards/accuracies": 0.5})
    events = [
        Event("metrics", 0.0, {"step": 1, "rewards/accuracies": 0.5}),
        Event("finding", 0.0, finding.to_event()),
    ]
    again = HealthWatch("dpo", 2, 100)
    again.replay(events)
    assert again.see({"step": 2, "rewards/accuracies": 0.5}) == []


@pytest.mark.parametrize(("sign", "method", "metrics"), SIGNS)
def test_every_finding_says_what_it_means_and_what_to_do(sign, method, metrics):
    watch = HealthWatch(method, 16, 2 * STEPS)
    found = [f for step in range(1, STEPS + 1) for f in watch.see({"step": step, **metrics(step)})]
    assert all(finding.meaning and finding.remedy and finding.title for finding in found)
