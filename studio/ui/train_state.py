"""What the Train form offers and how it is read; no components here."""

from __future__ import annotations

import math
from typing import Any

import yaml

from studio.config import RunConfig
from studio.config.checks import problems
from studio.config.files import parse
from studio.config.presets import list_presets
from studio.data.manifest import list_exports
from studio.errors import ConfigError, FieldProblem, InputError, StudioError
from studio.paths import EMBEDDED, Workspace
from studio.runs.store import Run, RunStore

SAMPLES = {
    "sft": (("Embedded: report format", "embedded:sft"),),
    "dpo": (("Embedded: preference pairs", "embedded:preferences"),),
}
DEFAULT_RATES = {"sft": 2e-4, "dpo": 1e-5}
TARGETS = ("language", "vision+language", "all-linear")
LOSSES = (
    ("DPO (sigmoid)", "sigmoid: 1"),
    ("IPO", "ipo: 1"),
    ("Hinge (SLiC)", "hinge: 1"),
    ("Robust DPO", "robust: 1"),
    ("APO-zero", "apo_zero: 1"),
    ("MPO: sigmoid 0.8, bco_pair 0.2, sft 1", "sigmoid: 0.8, bco_pair: 0.2, sft: 1"),
)
Choices = list[tuple[str, str]]


def preset_choices() -> Choices:
    """Recipes by name."""
    return [(preset.name, preset.name) for preset in list_presets()]


def data_choices(workspace: Workspace, method: str) -> Choices:
    """Samples and exports that `method` can train on; anything else can be typed."""
    exports = [
        (f"{export.name} · {sum(export.rows.values()):,} rows", export.spec)
        for export in list_exports(workspace)
        if export.method == method
    ]
    return [*exports, *SAMPLES[method]]


def model_choices(store: RunStore) -> Choices:
    """The embedded model and every base that a run has used."""
    used = {config.model.id for run in store.list() if (config := _config(run))}
    return [("embedded", EMBEDDED), *((name, name) for name in sorted(used - {EMBEDDED}))]


def adapter_choices(store: RunStore) -> Choices:
    """Runs whose adapter can be trained further."""
    runs = [run for run in store.list() if run.has_adapter]
    named = [(run, config) for run in runs if (config := _config(run))]
    return [("—", ""), *((f"{config.name} · {run.run_id}", run.run_id) for run, config in named)]


def _config(run: Run) -> RunConfig | None:
    try:
        return run.config
    except StudioError:
        return None


def for_method(method: str, source: str, rate: float | None) -> tuple[str, float | None]:
    """Data and learning rate after the method was switched; what was chosen by hand stays."""
    other = "dpo" if method == "sft" else "sft"
    if source in {spec for _, spec in SAMPLES[other]}:
        source = SAMPLES[method][0][1]
    if rate is not None and math.isclose(rate, DEFAULT_RATES[other]):
        rate = DEFAULT_RATES[method]
    return source, rate


def parse_text(text: str) -> RunConfig:
    """A run file from its text.

    Raises:
        ConfigError: It is not YAML, or settings are wrong.
    """
    try:
        values: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([FieldProblem("run file", f"is not valid YAML: {error}")]) from None
    if not isinstance(values, dict):
        raise ConfigError([FieldProblem("run file", "is not a mapping of settings.")])
    config = parse(values)
    ensure(config)
    return config


def ensure(config: RunConfig) -> None:
    """Raise `ConfigError` when settings contradict each other."""
    found = problems(config)
    if found:
        raise ConfigError(found)


def problems_of(error: InputError) -> list[FieldProblem]:
    """An error as problems of fields."""
    if isinstance(error, ConfigError):
        return error.problems
    return [FieldProblem(error.field, error.message, error.remedy)]
