"""Optimizers and schedules are those of the installed transformers."""

from typing import get_args

from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from studio.config.optimizer import OptimizerName, ScheduleName


def test_optimizers_and_schedules_are_those_of_the_installed_transformers():
    assert set(get_args(OptimizerName)) == {item.value for item in OptimizerNames}
    others = {"cosine_warmup_with_min_lr", "greedy"}
    assert set(get_args(ScheduleName)) == {item.value for item in SchedulerType} - others
