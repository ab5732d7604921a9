"""From what somebody asks for to a request that can be computed; refused where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.schema import Row
from studio.evaluation.benchmarks import find_benchmark, is_benchmark
from studio.evaluation.evaluated_models import (
    ENDPOINT,
    EvaluatedModel,
    base_of,
    endpoint_model,
    find_model,
)
from studio.evaluation.evaluated_rows import RowChoice, trained_images, with_system_prompt
from studio.evaluation.evaluation import EvaluationRequest
from studio.metrics import Metric, load_user_metric, metric_named, suggested_metrics
from studio.metrics.metric import LACKING
from studio.models.answering.sampling_settings import Draw
from studio.runs.store import RunStore

MARGIN = "implicit_margin"


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for, as they name it.

    Attributes:
        model: Hub id, folder or `embedded`.
        adapters: Runs, `RUN@STEP`, adapter folders or `endpoint:URL#MODEL`; none for the base
            alone.
        against: `base` or a run to compare with; empty for no comparison.
        metrics: Names; empty for those that suit the rows.
        same_base: The base that an adapter names is `model` under another name.
        draws: How answers are drawn that go to `dataset`; nothing is scored then.
        key_from: Name of the environment variable with the key of the endpoint.
        rule: How the pair of a row is chosen from them (`candidate_pairs.RULES`).
    """

    model: str
    adapters: tuple[str, ...] = ()
    against: str = ""
    metrics: tuple[str, ...] = ()
    metric_file: str = ""
    max_new_tokens: int = 64
    batch_size: int = 16
    quantization: str = "none"
    same_base: bool = False
    data: str = ""
    split: str = ""
    run: str = ""
    notes: tuple[str, ...] = ()
    draws: tuple[Draw, ...] = ()
    dataset: str = ""
    key_from: str = ""
    rule: str = ""


def prepare_request(
    wanted: Wanted, chosen: RowChoice, workspace: Workspace
) -> tuple[EvaluationRequest, tuple[Row, ...]]:
    """Resolve every name and check every metric against the rows; loads no model.

    Returns:
        The request, and the rows as the models are asked; where answers are drawn, the rows as they
        are in the library.

    Raises:
        InputError: Something is unknown, does not fit, or the rows lack what a metric needs.
    """
    store = RunStore(workspace)
    models = find_models(store, wanted)
    metrics = [] if wanted.draws else choose_metrics(wanted, chosen.rows)
    if metrics and all(model.endpoint for model in models):
        metrics = _of_answers(metrics)
    prompts = system_prompts(store, models)
    # Rows of the library stay as they are there: the worker puts the system turn before them.
    system = prompts[0] if prompts and not wanted.draws else ""
    rows = with_system_prompt(chosen.rows, system) if system else chosen.rows
    seen, notes = seen_in_training(store, models, rows, workspace)
    if len(prompts) > 1:
        notes.append(
            f"The runs were trained with {len(prompts)} different system prompts; all models are "
            "asked with that of the first."
        )
    notes += what_leaves(models)
    base = base_settings(store, wanted, models)
    request = EvaluationRequest(
        model=base.model_dump(mode="json"),
        models=tuple(models),
        baseline=models[0].name if wanted.against else "",
        data=wanted.data,
        split=wanted.split,
        source=chosen.source,
        rows=len(rows),
        left_out=dict(chosen.left_out),
        metrics=tuple(metric.name for metric in metrics),
        metric_file=str(Path(wanted.metric_file).resolve()) if wanted.metric_file else "",
        max_new_tokens=wanted.max_new_tokens,
        batch_size=wanted.batch_size,
        system_prompt=prompts[0] if prompts else "",
        seen_in_training=seen,
        notes=(*wanted.notes, *notes),
        run=wanted.run,
        draws=wanted.draws,
        dataset=wanted.dataset,
        rule=wanted.rule,
    )
    return request, chosen.rows if wanted.draws else tuple(rows)


def find_models(store: RunStore, wanted: Wanted) -> list[EvaluatedModel]:
    """Return who answers: the baseline first, then the adapters, each once.

    Raises:
        InputError: One is unknown, or there is nothing to compare.
    """
    names = [*([wanted.against] if wanted.against else []), *wanted.adapters]
    if wanted.against and not wanted.adapters:
        raise InputError(
            "--against needs something to compare.",
            remedy="Name a run or an adapter folder with --adapter.",
            field="against",
        )
    found = [
        find_model(store, wanted.model, name, same_base=wanted.same_base, key_from=wanted.key_from)
        for name in names
    ] or [_alone(wanted)]
    models = list({model.name: model for model in found}.values())
    _ensure_one_keyed_host(models)
    if wanted.against and len(models) < 2:
        raise InputError(
            f"{wanted.against} would be compared with itself.",
            remedy="Name another run, or base, with --against.",
            field="against",
        )
    return models


def what_leaves(models: Sequence[EvaluatedModel]) -> list[str]:
    """Say what is sent to which endpoint, before anything is."""
    found = [model.endpoint for model in models]
    return list(dict.fromkeys(one.what_leaves() for one in found if one is not None))


def _alone(wanted: Wanted) -> EvaluatedModel:
    if wanted.model.startswith(ENDPOINT):
        return endpoint_model(wanted.model, wanted.key_from)
    return base_of(wanted.model)


def _ensure_one_keyed_host(models: Sequence[EvaluatedModel]) -> None:
    """A key is for one service: no other is sent it."""
    places = [model.endpoint for model in models]
    hosts = {place.host for place in places if place is not None and place.key_from}
    if len(hosts) > 1:
        raise InputError(
            f"The key would be sent to several hosts: {', '.join(sorted(hosts))}.",
            remedy="Evaluate them one after the other, each with its own key.",
            field="key_from",
        )


def _of_answers(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that an endpoint can give: it says nothing of likelihoods."""
    kept = [metric for metric in metrics if metric.of_answers]
    if not kept:
        raise InputError(
            f"{metrics[0].label} is measured from likelihoods, which an endpoint does not give.",
            remedy="Choose a metric of answers, for example --metrics words.",
            field="metrics",
        )
    return kept


def base_settings(store: RunStore, wanted: Wanted, models: Sequence[EvaluatedModel]) -> ModelConfig:
    """Return what the base is loaded with; it sees images as the first run was trained on them."""
    values: dict[str, Any] = {}
    for model in models:
        if model.run and not values:
            values = store.get(model.run).config.model.model_dump(mode="json")
    if wanted.model.startswith(ENDPOINT) and any(not model.endpoint for model in models):
        raise InputError(
            "An endpoint is no base for adapters of this machine.",
            remedy="Name their base model first, and the endpoint with --adapter.",
            field="model",
        )
    values |= {"id": wanted.model, "quantization": wanted.quantization}
    return run_file.parse({"model": values}).model


def system_prompts(store: RunStore, models: Sequence[EvaluatedModel]) -> list[str]:
    """Return the different system prompts that the runs were trained with, the first one first."""
    given = (store.get(model.run).config.data.system_prompt for model in models if model.run)
    return list(dict.fromkeys(text for text in given if text))


def choose_metrics(wanted: Wanted, rows: Sequence[Row]) -> list[Metric]:
    """Return the metrics: those asked for, else those that suit the rows.

    Raises:
        InputError: One is unknown, or no row has what it needs.
    """
    own = [load_user_metric(Path(wanted.metric_file))] if wanted.metric_file else []
    if not wanted.metrics and is_benchmark(wanted.data):
        own += [
            metric
            for metric in map(metric_named, find_benchmark(wanted.data).metrics)
            if any(applies(metric, row) for row in rows)
        ]
        if own:
            return own
    if not wanted.metrics:
        names = [name for name in suggested_metrics(rows) if wanted.against or name != MARGIN]
        return [*own, *(metric_named(name) for name in names)]
    metrics = [metric_named(name) for name in dict.fromkeys(wanted.metrics)]
    for metric in metrics:
        if metric.name == MARGIN and not wanted.against:
            raise InputError(
                f"{metric.label} is measured from another model.",
                remedy="Name it with --against, for example --against base.",
                field="metrics",
            )
        if not any(applies(metric, row) for row in rows):
            raise InputError(
                f"{metric.label} cannot be measured: of {counted(len(rows))}, every one has "
                f"{LACKING[metric.needs]}.",
                remedy=f"Choose other rows, or another metric: {_suited(rows, wanted)}.",
                field="metrics",
            )
    return [*own, *metrics]


def _suited(rows: Sequence[Row], wanted: Wanted) -> str:
    names = [name for name in suggested_metrics(rows) if wanted.against or name != MARGIN]
    return ", ".join(names)


def applies(metric: Metric, row: Row) -> bool:
    """Return whether a row has what a metric needs."""
    if metric.needs == "pairs":
        return row.chosen is not None and row.rejected is not None
    if metric.needs == "references":
        return bool(row.accepted)
    return metric.needs == "nothing" or metric.score("", row.accepted, row) is not None


def metrics_of(request: EvaluationRequest) -> list[Metric]:
    """Return the metrics of a request.

    Raises:
        InputError: Its own metric's file is gone or changed its name.
    """
    own = load_user_metric(Path(request.metric_file)) if request.metric_file else None
    return [own if own and name == own.name else metric_named(name) for name in request.metrics]


def seen_in_training(
    store: RunStore, models: Sequence[EvaluatedModel], rows: Sequence[Row], workspace: Workspace
) -> tuple[dict[str, int], list[str]]:
    """Count the rows with an image that a run has trained on, and say it in sentences."""
    seen: dict[str, int] = {}
    notes: list[str] = []
    for model in models:
        if not model.run:
            continue
        try:
            trained = trained_images(store.get(model.run), workspace)
        except StudioError as error:
            log_told(error)
            seen[model.name] = -1
            notes.append(
                f"What {model.name} was trained on cannot be read any more ({error.message}), so "
                "it is not known whether these rows are new to it."
            )
            continue
        seen[model.name] = sum(bool(trained.intersection(row.images)) for row in rows)
        if seen[model.name]:
            notes.append(
                f"{model.name} has trained on images of {seen[model.name]:,} of "
                f"{counted(len(rows))}: its figures may be too good."
            )
    return seen, notes
