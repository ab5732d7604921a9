"""A form out of the run file's declarations: one component per setting, and the way back.

No setting is named here; label, help, bounds and choices come from `studio.config.setting_list`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from studio.config import RunConfig, yaml_text
from studio.config.adapter import TARGET_GROUPS
from studio.config.run_file import parse, set_path
from studio.config.setting_list import FieldSpec, field_specs
from studio.core.errors import ConfigError, FieldProblem

ADAPTER = FieldSpec(
    path="adapter",
    group="adapter",
    label="Train an adapter (LoRA)",
    help="Off: every weight of the model is trained, which takes far more memory.",
    kind="boolean",
    default=True,
    level="basic",
    effect="Memory: gradients and optimizer state of the adapter only, a few percent of the rest.",
    trl="peft_config",
)
NAME = re.compile(r"\w+")
YES_NO = {"As the model ships": None, "Yes": True, "No": False}
RADIO_MOST = 4


def form_specs() -> list[FieldSpec]:
    """All settings, the adapter's switch before the adapter's settings."""
    shown = list(field_specs())
    first = next(index for index, spec in enumerate(shown) if spec.group == "adapter")
    return [*shown[:first], ADAPTER, *shown[first:]]


def element_id(path: str) -> str:
    """HTML id of a setting's component; assets/web/train/field-errors.js finds the place for errors by it."""
    return f"set-{path.replace('.', '-')}"


def help_of(specs: Iterable[FieldSpec]) -> dict[str, dict[str, str]]:
    """HTML id of a setting → what else there is to say about it, for assets/web/train/setting-help.js.

    `words` are not shown: a setting is found by them too.
    """
    return {
        element_id(spec.path): {
            "label": spec.label,
            "effect": spec.effect,
            "trl": spec.trl,
            "path": spec.path,
            "words": " ".join(spec.choices),
        }
        for spec in specs
    }


def labelled(spec: FieldSpec, reasons: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the values of a choice; one that cannot be used here says why."""
    return [
        (f"{value} (unavailable: {reasons[value]})" if value in reasons else value, value)
        for value in spec.choices
    ]


def component(
    spec: FieldSpec, choices: Sequence[Any] | None = None, reasons: Mapping[str, str] | None = None
) -> gr.components.Component:
    """Build the component for one setting.

    Args:
        choices: Values offered that the user may also overtype.
        reasons: Value → why it cannot be used here.
    """
    common: dict[str, Any] = {
        "label": spec.label,
        "info": spec.help,
        "value": to_widget(spec, spec.default),
        "elem_id": element_id(spec.path),
        "elem_classes": ["setting", f"level-{spec.level}", f"only-{spec.method or 'any'}"],
    }
    if choices is not None:
        common["elem_classes"].append("free")
        return gr.Dropdown(choices=list(choices), allow_custom_value=True, **common)
    if spec.kind == "boolean":
        return _boolean(spec, common)
    if spec.kind == "choice":
        kind = gr.Radio if len(spec.choices) <= RADIO_MOST else gr.Dropdown
        return kind(choices=labelled(spec, reasons or {}), **common)
    if spec.kind == "choices":
        return gr.CheckboxGroup(choices=labelled(spec, reasons or {}), **common)
    if _is_numeric(spec) and not spec.optional:
        return gr.Number(**common)
    placeholder = {"list": "one, two, …", "integer": "not set", "number": "not set"}
    lines = 3 if spec.path.endswith("prompt") else 1
    return gr.Textbox(
        placeholder=spec.example or placeholder.get(spec.kind, ""),
        lines=lines,
        max_lines=8,
        **common,
    )


def _boolean(spec: FieldSpec, common: dict[str, Any]) -> gr.components.Component:
    if spec.optional:
        return gr.Radio(choices=list(YES_NO), **common)
    return gr.Checkbox(**common)


def to_widget(spec: FieldSpec, value: Any) -> Any:
    """Return what the component shows for a setting's value."""
    if spec.kind == "boolean":
        return _words(value) if spec.optional else bool(value)
    if isinstance(value, dict):
        return ", ".join(
            f"{key}: {item:g}" if _is_number(item) else f"{key}: {item}"
            for key, item in value.items()
        )
    if isinstance(value, list) and spec.kind != "choices":
        return ", ".join(value)
    if spec.optional and _is_numeric(spec):
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    if value is None and spec.kind == "text":
        return ""
    return value


def to_value(spec: FieldSpec, shown: Any) -> Any:
    """Return the setting's value for what the component shows.

    Raises:
        ConfigError: A mapping that is not written `key: value, …`, a number that is none.
    """
    if spec.kind == "boolean":
        return YES_NO.get(shown) if spec.optional else bool(shown)
    if isinstance(shown, str):
        shown = shown.strip()
    if spec.kind == "mapping":
        return _mapping(spec, shown)
    if spec.kind == "list":
        return _parts(shown)
    if spec.optional and _is_numeric(spec):
        return _number(spec, shown)
    if spec.path == "adapter.targets" and isinstance(shown, str) and _are_names(shown):
        return _parts(shown)
    return None if shown == "" and spec.optional else shown


def config_from(specs: Iterable[FieldSpec], shown: Sequence[Any]) -> RunConfig:
    """Return the run file that a filled form means.

    Raises:
        ConfigError: With one problem per field that cannot be used.
    """
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    without_adapter = False
    for spec, item in zip(specs, shown, strict=True):
        if spec.path == "adapter":
            without_adapter = not item
            continue
        if item is None and _is_numeric(spec) and not spec.optional:
            problems.append(FieldProblem(spec.path, "is empty.", "Give a number."))
            continue
        try:
            set_path(values, spec.path, to_value(spec, item))
        except ConfigError as error:
            problems += error.problems
    if without_adapter:
        values["adapter"] = None
    return _parsed(values, problems)


def _parsed(values: dict[str, Any], problems: list[FieldProblem]) -> RunConfig:
    try:
        config = parse(values)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    return config


def widgets_of(specs: Iterable[FieldSpec], config: RunConfig) -> list[Any]:
    """Return what every component shows for `config`, in the order of `specs`."""
    values = config.model_dump()
    return [_widget(spec, config, values) for spec in specs]


def _widget(spec: FieldSpec, config: RunConfig, values: Mapping[str, Any]) -> Any:
    if spec.path == "adapter":
        return config.adapter is not None
    found: Any = values
    for part in spec.path.split("."):
        if found is None:
            return to_widget(spec, spec.default)
        found = found[part]
    return to_widget(spec, found)


def _mapping(spec: FieldSpec, text: Any) -> dict[str, Any]:
    try:
        found = yaml_text.parse("{" + (text or "") + "}")
    except yaml_text.YamlError:
        found = None
    if not isinstance(found, dict) or None in found.values():
        raise ConfigError(
            [
                FieldProblem(
                    spec.path, f"cannot read {text!r}.", "Write it as name: value, name: value."
                )
            ]
        )
    return found


def _number(spec: FieldSpec, text: Any) -> float | int | None:
    if text in (None, ""):
        return None
    try:
        return int(text) if spec.kind == "integer" else float(text)
    except ValueError:
        kind = "a whole number" if spec.kind == "integer" else "a number"
        raise ConfigError(
            [FieldProblem(spec.path, f"{text!r} is not {kind}.", "Empty it to leave it unset.")]
        ) from None


def _is_numeric(spec: FieldSpec) -> bool:
    return spec.kind in ("number", "integer")


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _are_names(text: str) -> bool:
    """Whether target modules are named, rather than parts of a model or a pattern of names."""
    return "," in text or (text not in TARGET_GROUPS and NAME.fullmatch(text) is not None)


def _words(value: bool | None) -> str:
    return next(words for words, meaning in YES_NO.items() if meaning is value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
