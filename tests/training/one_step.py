"""One optimizer step of a run, in this process, on rows and settings that take little time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import Trainer

from studio.config import RunConfig, run_file
from studio.config.setting_conflicts import ensure_consistent
from studio.core.paths import RunPaths, Workspace
from studio.training.callbacks import RunReporter
from studio.training.model_setup import prepare_model
from studio.training.probes.probe_rounds import make_prober
from studio.training.run_rows import RunData, load_run_data
from studio.training.trainers import build_trainer

SOURCES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}


class OneStep:
    """Builds the trainer of some settings and takes one step; rows are read once."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace.locate(folder / "workspace")
        self.rows: dict[str, RunData] = {}
        self.runs = 0

    def config(self, method: str = "sft", **sections: Any) -> RunConfig:
        """Two rows at once and nothing beside the step; refused when it contradicts itself."""
        values: dict[str, Any] = {
            "method": method,
            "data": {"source": SOURCES[method], "train": "train[:2]"},
            "adapter": {"rank": 4, "alpha": 8},
            "batch": {"per_device": 2, "total": 2},
            "optimizer": {"learning_rate": 2e-3, "schedule": "constant", "warmup": 0},
            "schedule": {"max_steps": 1, "save_every": 100},
            "probes": {"count": 0, "forgetting": None},
        }
        for key, value in sections.items():
            both = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = values[key] | value if both else value
        config = run_file.parse(values)
        ensure_consistent(config)
        return config

    def trainer(self, config: RunConfig) -> Trainer:
        """The trainer, before its first step."""
        if config.method not in self.rows:
            self.rows[config.method] = load_run_data(config, self.workspace)
        self.runs += 1
        paths = RunPaths(self.workspace.runs / f"run-{self.runs}")
        trainable = prepare_model(config, self.workspace)
        rows = self.rows[config.method]
        beta = config.dpo.beta if config.method == "dpo" else None
        reporter = RunReporter(paths, keep=1, beta=beta)
        processor = trainable.loaded.processor
        prober = make_prober(config, paths, self.workspace, processor, reporter, rows)
        callbacks = [reporter, prober] if prober else []
        return build_trainer(config, paths, trainable, rows, callbacks, self.workspace)

    def step(self, config: RunConfig) -> tuple[Trainer, float, set[str]]:
        """The trainer after its step, the loss before it, and the names of what it changed."""
        trainer = self.trainer(config)
        trained = {n: p for n, p in trainer.model.named_parameters() if p.requires_grad}
        before = {name: parameter.detach().clone() for name, parameter in trained.items()}
        loss = trainer.train().training_loss
        changed = {n for n, p in trained.items() if not p.detach().equal(before[n])}
        return trainer, loss, changed
