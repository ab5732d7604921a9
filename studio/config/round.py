"""Settings of a round: what models answer, how people's labels train, what must not get worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from studio.config import presets, run_file
from studio.config.run import Method, RunConfig
from studio.config.setting import Section, setting
from studio.core.errors import ConfigError, FieldProblem, NotFoundError
from studio.core.paths import EMBEDDED
from studio.core.value_problems import phrase

METHODS = get_args(Method)
NEEDED = {"model": "", "data": "", "goal": ""}


class RoundSettings(Section):
    """What a round is made with; the next one takes the same."""

    model: str = setting(
        "", "Base model", "Hub id, folder or embedded.", level="basic", min_length=1
    )
    data: str = setting(
        "",
        "Rows to answer",
        "Images with questions: library:<dataset>, a file, or a sample set.",
        level="basic",
        min_length=1,
    )
    goal: str = setting(
        "",
        "Rows of the goal",
        "Rows that nothing is trained on, of what should get better; the blind match is on them.",
        level="basic",
        min_length=1,
    )
    known: str = setting(
        "",
        "Rows to keep",
        "Rows of what the model can do already. Empty: forgetting is not measured.",
        level="basic",
    )
    rows: int | None = setting(
        None,
        "Rows a round",
        "How many are answered; the next round takes others. Empty: all that are left.",
        level="basic",
        ge=1,
    )
    answers: int = setting(4, "Answers a row", "Drawn from the newest model.", ge=1, le=32)
    temperature: float = setting(1.0, "Temperature", "Higher draws rarer answers.", ge=0, le=5)
    top_p: float = setting(1.0, "Top-p", "1 draws from all tokens.", gt=0, le=1)
    seed: int = setting(1, "Seed", "Of the draws; the next round takes the one after it.", ge=0)
    recipe: str = setting("", "Recipe", "How answers are mixed, as for candidates; empty for none.")
    max_new_tokens: int = setting(64, "Longest answer", "It is cut there.", ge=1, le=4096)
    labels: int | None = setting(
        None,
        "Labels to wait for",
        "The round goes on with so many. Empty: when no pair waits any more.",
        ge=0,
    )
    earlier: float = setting(
        1.0,
        "Earlier labels",
        "Share of the labels of earlier rounds that is trained on again; 0 for none.",
        ge=0,
        le=1,
    )
    preset: str = setting("", "Preset", "What training starts from; empty: what suits the model.")
    training: list[str] = setting(
        [], "Training", "Settings changed, each as key=value: optimizer.learning_rate=1e-3."
    )
    forget: float = setting(
        0.02,
        "Most forgotten",
        "How far the rows to keep may fall, as a share of them, before a round is not worth it.",
        ge=0,
        le=1,
    )
    longer: float = setting(
        1.5, "Most growth", "How much longer answers to the rows to keep may become.", ge=1
    )
    drift: float = setting(
        0.1,
        "Most drift",
        "Share of the rows to keep that may be answered otherwise than by the base.",
        ge=0,
        le=1,
    )


TEMPLATES: dict[str, dict[str, Any]] = {
    "fix-a-habit": {
        "answers": 8,
        "temperature": 1.3,
        "training": ["method=dpo", "dpo.losses={sigmoid: 1.0, sft: 1.0}"],
    },
    "adapt-to-my-charts": {
        "answers": 4,
        "temperature": 1.0,
        "recipe": "greedy+hot",
        "training": ["method=sft"],
        "drift": 0.3,
    },
    "fewer-hallucinations": {
        "answers": 2,
        "temperature": 1.0,
        "recipe": "corrupted-image",
        "training": ["method=dpo", "dpo.losses={sigmoid: 0.8, bco_pair: 0.2, sft: 1.0}"],
    },
}
"""Settings to start from. A habit: hot draws show what else the model can say, and the SFT loss keeps
the better answer likely. Charts of one's own: the better answer is taught as it is. Hallucinations:
an answer to a spoilt image is the worse one, as long as nobody says otherwise."""


def settings_of(values: Mapping[str, Any], template: str = "") -> RoundSettings:
    """Make the settings of a round of plain values, on top of those of a template.

    Raises:
        NotFoundError: There is no such template or preset.
        ConfigError: With one problem for each wrong value.
    """
    if template and template not in TEMPLATES:
        raise NotFoundError(
            f"There is no template {template[:60]!r}.",
            remedy=f"Choose one of: {', '.join(TEMPLATES)}.",
            field="template",
        )
    begun = TEMPLATES.get(template, {})
    added = {"training": [*begun.get("training", ()), *values.get("training", ())]}
    try:
        # Defaults are not checked: what must be given is empty, not absent.
        found = RoundSettings.model_validate({**NEEDED, **begun, **values, **added})
    except ValidationError as error:
        raise ConfigError([_problem(item) for item in error.errors()]) from None
    training_of(found)
    return found


def assigned(assignments: Sequence[str]) -> dict[str, Any]:
    """Part `key=value` into settings of a round, and those of its training, which stay text.

    Raises:
        ConfigError: One has no `=`, or its value is not YAML.
    """
    own: list[str] = []
    training: list[str] = []
    for assignment in assignments:
        name = assignment.partition("=")[0].strip()
        (own if name in RoundSettings.model_fields else training).append(assignment)
    values = run_file.override({}, own)
    return values | ({"training": training} if training else {})


def training_of(settings: RoundSettings) -> RunConfig:
    """Return the settings that a round trains with, but for its rows and where it starts.

    Raises:
        NotFoundError: There is no such preset.
        ConfigError: A setting is unknown or wrong.
    """
    # Without a preset only what is said is written: the rest follows from the method. The embedded
    # model learns nothing at the rates of large ones.
    said = run_file.override({"method": "dpo"}, settings.training)
    preset = settings.preset
    if not preset and settings.model == EMBEDDED and said["method"] in METHODS:
        preset = f"{EMBEDDED}-{said['method']}"
    begun = presets.load(preset).model_dump(mode="json") if preset else {}
    values = run_file.override({"method": "dpo", **begun}, settings.training)
    run_file.set_path(values, "model.id", settings.model)
    return run_file.parse(values)


def _problem(error: Any) -> FieldProblem:
    field = ".".join(part for part in error["loc"] if isinstance(part, str)) or "round"
    title = RoundSettings.model_fields[field].title if field in RoundSettings.model_fields else ""
    if error["type"] in ("missing", "string_too_short"):
        return FieldProblem(field, f"{title} is missing.", "Fill it in.")
    return FieldProblem(field, f"{title or field}: {phrase(error)}.")
