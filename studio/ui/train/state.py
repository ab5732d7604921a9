"""What the Train form offers and how it is read; no components here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from studio.annotation import AnnotationStore
from studio.config import RunConfig, yaml_text
from studio.config.dpo import MPO
from studio.config.optimizer import DEFAULT_RATES
from studio.config.presets import get_preset, list_presets
from studio.config.run_file import parse
from studio.config.saved_settings import SavedSettings
from studio.config.setting_conflicts import problems
from studio.config.setting_list import FieldSpec
from studio.core.errors import ConfigError, FieldProblem, InputError
from studio.core.paths import EMBEDDED, Workspace
from studio.core.plurals import counted
from studio.data.manifest import list_exports
from studio.launch.frozen_rows import library_choices
from studio.runs.store import RunStore
from studio.ui.train.settings_form import to_widget

SAMPLES = {
    "sft": (("Embedded: report format", "embedded:sft"),),
    "dpo": (("Embedded: preference pairs", "embedded:preferences"),),
}
LOSS_NAMES = {
    "sigmoid": "DPO",
    "sigmoid_norm": "DPO per token",
    "hinge": "SLiC",
    "ipo": "IPO",
    "exo_pair": "EXO",
    "nca_pair": "NCA",
    "robust": "robust DPO",
    "bco_pair": "BCO",
    "sppo_hard": "SPPO",
    "aot": "AOT",
    "aot_unpaired": "AOT, unpaired",
    "apo_zero": "APO-zero",
    "apo_down": "APO-down",
    "discopop": "DiscoPOP",
}
"""What papers call the losses that can stand alone."""
MIXTURES = {"MPO": MPO, "DPO with SFT": {"sigmoid": 1.0, "sft": 1.0}}
EVALUATION = "evaluation"
"""The split that freezing holds out."""
HERE = "here"
FORM = "form"
MOST_GB = 1024
STARTER = re.compile(r"gpu-0*(\d+)gb")
TARGET_DEVICES = (
    ("This machine", HERE),
    *((f"A GPU with {size} GB", str(size)) for size in (6, 8, 12, 16, 24, 32, 40, 48, 80, 141)),
)
Choices = list[tuple[str, str]]


def preset_choices() -> Choices:
    """Recipes by name; starters by what the GPU has."""
    names = [preset.name for preset in list_presets()]
    starters = {name: f"My GPU has {size} GB" for name in names if (size := starter_size(name))}
    return [(starters.get(name, name), name) for name in names]


def starter_size(name: str) -> int | None:
    """GB of the GPU that a starter is made for; None for other recipes."""
    found = STARTER.fullmatch(name)
    return int(found.group(1)) if found else None


def data_choices(
    workspace: Workspace, method: str, store: AnnotationStore | None = None
) -> Choices:
    """Exports, datasets of the library and samples that `method` can train on.

    Rows of the library are frozen when the run is planned or started; anything else can be typed.
    """
    exports = [
        (f"{export.name} · {counted(sum(export.rows.values()))}", export.spec)
        for export in list_exports(workspace)
        if export.method == method and not export.automatic
    ]
    library = library_choices(store, "dpo" if method == "dpo" else "sft") if store else []
    return [*exports, *library, *SAMPLES[method]]


def loss_choices() -> Choices:
    """Every loss of TRL that can stand alone, and mixtures; other weights can be typed."""
    alone = [(f"{loss} ({name})", f"{loss}: 1") for loss, name in LOSS_NAMES.items()]
    mixed = [
        (name, ", ".join(f"{loss}: {weight:g}" for loss, weight in losses.items()))
        for name, losses in MIXTURES.items()
    ]
    return [*alone, *((f"{name}: {losses}", losses) for name, losses in mixed)]


def model_choices(store: RunStore) -> Choices:
    """Return the embedded model and every base that a run has used."""
    used = {config.model.id for run in store.list() if (config := run.known_config)}
    return [("embedded", EMBEDDED), *((name, name) for name in sorted(used - {EMBEDDED}))]


def adapter_choices(store: RunStore) -> Choices:
    """Runs whose adapter can be trained further."""
    runs = [run for run in store.list() if run.has_adapter]
    named = [(run, config) for run in runs if (config := run.known_config)]
    return [("—", ""), *((f"{config.name} · {run.run_id}", run.run_id) for run, config in named)]


def for_method(method: str, source: str, rate: float | None) -> tuple[str, float | None]:
    """Data and learning rate after the method was switched; what was chosen by hand stays."""
    other = "dpo" if method == "sft" else "sft"
    if source in {spec for _, spec in SAMPLES[other]}:
        source = SAMPLES[method][0][1]
    return source, rate_for(method, rate)


def rate_for(method: str, rate: float | None) -> float | None:
    """The learning rate after the method was switched: the default follows, a chosen one stays."""
    other = "dpo" if method == "sft" else "sft"
    if rate is not None and math.isclose(rate, DEFAULT_RATES[other]):
        return DEFAULT_RATES[method]
    return rate


def held_out_split(workspace: Workspace, source: str) -> str | None:
    """Return the split that an export holds out to evaluate on; None without one."""
    for export in list_exports(workspace):
        if export.spec == source:
            return EVALUATION if export.rows.get(EVALUATION) else None
    return None


def parse_text(text: str) -> RunConfig:
    """Return a run file from its text.

    Raises:
        ConfigError: It is not YAML, or settings are wrong.
    """
    try:
        values: Any = yaml_text.parse(text)
    except yaml_text.YamlError as error:
        raise ConfigError([FieldProblem("run file", f"{error}.", "Correct it there.")]) from error
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
    """Return an error as problems of fields."""
    if isinstance(error, ConfigError):
        return error.problems
    return [FieldProblem(error.field, error.message, error.remedy)]


def gigabytes(target: str | None) -> float | None:
    """Memory of the GPU a plan is for; None for this machine.

    Raises:
        ConfigError: It is neither one of `TARGET_DEVICES` nor a number of GB.
    """
    if not target or target == HERE:
        return None
    try:
        number = float(str(target).lower().removesuffix("gb").strip())
    except ValueError:
        number = 0.0
    if not 1 <= number <= MOST_GB:
        raise ConfigError(
            [
                FieldProblem(
                    "target",
                    f"{target!r} is no GPU memory.",
                    f"Give GB as a number from 1 to {MOST_GB}, such as 24.",
                )
            ]
        )
    return number


def measured_key(config: RunConfig) -> str:
    """Return what a dry step's result belongs to: all settings that memory or speed depend on."""
    values = config.model_dump(mode="json")
    for section in ("name", "schedule", "probes", "launch", "report_to", "push_to_hub"):
        values.pop(section)
    for setting in ("learning_rate", "schedule", "warmup", "weight_decay", "max_grad_norm"):
        values["optimizer"].pop(setting)
    values["data"].pop("evaluation")
    return json.dumps(values, sort_keys=True)


def about(config: RunConfig) -> str:
    """Settings in a few words, to tell one measurement from another."""
    words = [config.method.upper(), config.model.id, f"{config.batch.per_device} rows at once"]
    if config.model.quantization != "none":
        words.append(config.model.quantization)
    if config.batch.gradient_checkpointing:
        words.append("checkpointing")
    return ", ".join(words)


def changed(specs: Sequence[FieldSpec], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what components show after `changes` (dotted setting → value, sections allowed).

    `adapter: null` switches the adapter off, `adapter: {…}` switches it on.
    """
    by_path = {spec.path: spec for spec in specs}
    found: dict[str, Any] = {}
    for path, value in changes.items():
        spec = by_path.get(path)
        if spec and (spec.kind == "mapping" or not isinstance(value, Mapping)):
            found[path] = to_widget(spec, value)
            continue
        if spec:
            found[path] = True
        inner = {f"{path}.{name}": item for name, item in (value or {}).items()}
        found |= changed(specs, inner)
    return found


def side_choices(saved: Sequence[str], store: RunStore) -> Choices:
    """Settings that can be compared: the form, saved ones, runs, recipes."""
    runs = [(run, config) for run in store.list() if (config := run.known_config)]
    return [
        ("The form as it is", FORM),
        *((f"Saved: {name}", f"saved:{name}") for name in saved),
        *((f"Run: {config.name} · {run.run_id}", f"run:{run.run_id}") for run, config in runs),
        *((f"Preset: {preset.name}", f"preset:{preset.name}") for preset in list_presets()),
    ]


def side(choice: str, saved: SavedSettings, store: RunStore) -> RunConfig:
    """Return the settings that one of `side_choices` (but the form) stands for.

    Raises:
        NotFoundError: They are gone.
        ConfigError: Their file is not readable any more.
    """
    kind, _, name = choice.partition(":")
    if kind == "saved":
        return saved.load(name)
    if kind == "run":
        return store.get(name).config
    return get_preset(name).config()
