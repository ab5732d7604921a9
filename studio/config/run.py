"""The whole run file and what can be read off it without a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator, model_validator

from studio.config.adapter import AdapterConfig
from studio.config.batch import BatchConfig
from studio.config.data import DataConfig
from studio.config.dpo import DpoConfig
from studio.config.launch import LaunchConfig
from studio.config.model import ModelConfig
from studio.config.optimizer import DEFAULT_RATES, OptimizerConfig
from studio.config.probes import ProbeConfig
from studio.config.schedule import ScheduleConfig
from studio.config.setting import Section, setting
from studio.config.speed import SAVINGS, SpeedConfig

Method = Literal["sft", "dpo"]


class RunConfig(Section):
    """One run. The form, the YAML, the command line and the docs are generated from this."""

    name: str = setting(
        "run",
        "Name",
        "What the run is called in lists.",
        effect="None on the result.",
        trl="run_name",
        level="basic",
        max_length=80,
    )
    method: Method = setting(
        "sft",
        "Method",
        "SFT teaches answers from examples. DPO teaches which of two answers is better.",
        effect="DPO reads two answers a row and needs a reference: more memory and time.",
        trl="SFTTrainer, DPOTrainer",
        level="basic",
    )
    model: ModelConfig = setting(ModelConfig(), "Model", "The base model.")
    adapter: AdapterConfig | None = setting(
        AdapterConfig(), "Adapter", "LoRA settings; null trains every weight."
    )
    data: DataConfig = setting(DataConfig(), "Data", "Rows to learn from.")
    batch: BatchConfig = setting(BatchConfig(), "Batch", "How many rows at a time.")
    optimizer: OptimizerConfig = setting(OptimizerConfig(), "Optimizer", "How weights are updated.")
    schedule: ScheduleConfig = setting(ScheduleConfig(), "Schedule", "How long and how often.")
    dpo: DpoConfig = setting(DpoConfig(), "DPO", "Preference loss.")
    speed: SpeedConfig = setting(SpeedConfig(), "Speed", "Work saved without changing the losses.")
    probes: ProbeConfig = setting(ProbeConfig(), "Probes", "Questions asked while it learns.")
    launch: LaunchConfig = setting(LaunchConfig(), "Launch", "Where it runs.")
    report_to: list[Literal["trackio", "tensorboard", "wandb"]] = setting(
        [],
        "Also report to",
        "Trackers that get the metrics too; each must be installed.",
        effect="None on the result.",
        trl="report_to",
    )
    push_to_hub: str | None = setting(
        None,
        "Push to the hub",
        "Repository (user/name) that receives the adapter at the end. Private.",
        effect="Time of the upload.",
        trl="push_to_hub, hub_model_id",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_the_rate_of_its_method(cls, values: Any) -> Any:
        """Fill in the learning rate where none is given: DPO takes a twentieth of SFT's."""
        method = values.get("method") if isinstance(values, Mapping) else None
        if not isinstance(method, str) or method not in DEFAULT_RATES:
            return values
        given, rate = values.get("optimizer", {}), DEFAULT_RATES[method]
        if isinstance(given, OptimizerConfig):
            if "learning_rate" in given.model_fields_set:
                return values
            return {**values, "optimizer": given.model_copy(update={"learning_rate": rate})}
        if not isinstance(given, Mapping) or "learning_rate" in given:
            return values
        return {**values, "optimizer": {**given, "learning_rate": rate}}

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.strip() or not name.isprintable():
            raise ValueError("give the run a name of printable characters.")
        return name.strip()

    @property
    def accumulation(self) -> int:
        """Forward passes per optimizer step on each device."""
        return max(1, self.batch.total // (self.batch.per_device * self.launch.processes))

    def total_steps(self, rows: int) -> int:
        """Count optimizer steps over `rows` training rows (the last batch of an epoch may be
        short).

        As transformers has it, `schedule.max_steps` replaces the epochs, be it fewer or more steps.
        """
        per_epoch = math.ceil(rows / self.batch.total)
        return self.schedule.max_steps or math.ceil(per_epoch * self.schedule.epochs)

    def epochs_over(self, rows: int) -> float:
        """Count passes over `rows` training rows, however the length of the run is given."""
        steps = self.schedule.max_steps
        return steps * self.batch.total / max(1, rows) if steps else self.schedule.epochs


def speed_obstacle(config: RunConfig) -> str:
    """Say why a run takes TRL's own path whatever its model; empty when it need not."""
    if config.speed.all_off:
        return "because it is switched off"
    if config.data.too_long == "cut_answer":
        return "because data.too_long: cut_answer cuts rows, which only TRL's own layout does"
    return ""


def with_possible_speed(config: RunConfig) -> RunConfig:
    """Switch off the savings that the other settings of `config` rule out.

    Rows whose answers are cut keep TRL's own layout; NEFTune's noise depends on the length of a
    row, so prompts are not shared.
    """
    off: dict[str, str] = {}
    if config.optimizer.neftune is not None:
        off = {"share_prompts": "off"}
    if config.data.too_long == "cut_answer":
        off = {name: "off" for name in SAVINGS}
    return config.model_copy(update={"speed": config.speed.model_copy(update=off)})
