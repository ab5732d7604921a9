"""What a model card says of a run: recipe, data and how it was labelled, results, limits; no names."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.records import is_judge
from studio.config import RunConfig
from studio.core.errors import StudioError
from studio.core.logs import log_told
from studio.core.markdown_text import plain
from studio.core.paths import Workspace, read_state
from studio.core.plurals import counted
from studio.data.manifest import MANIFEST
from studio.data.sources.registry import is_on_hub
from studio.launch.decision_card import decision_card
from studio.release.model_card import CardFacts, licence_of, settled_licence
from studio.runs import held_out_result
from studio.runs.hub_push import results_section
from studio.runs.run_weights import RunWeights

EXPORTS, SAMPLES = "exports/", "embedded:"
NO_MEASURE = "Nothing was measured on held-out rows when it was trained."
FORM_OF_LIMITS = (
    "It was trained for the kind of questions and images that it learned from; on others nothing is "
    "known.",
    "It may answer wrongly or evasively with the same confidence; what it says is to be checked "
    "wherever it matters.",
)


def card_facts(workspace: Workspace, weights: RunWeights, licence: str = "") -> CardFacts:
    """Collect what a card says.

    Args:
        licence: What was asked for; empty: that of the base.

    Raises:
        InputError: The base's licence does not allow that one.
    """
    run = weights.run
    config = run.config
    measured = held_out_result.read(run.paths)
    results = results_section(measured)
    card = decision_card(workspace, run)
    limits = list(FORM_OF_LIMITS)
    if not results.strip():
        limits.insert(0, NO_MEASURE)
    if not any(name == "Blind match" for name, _ in card.figures):
        limits.append("Nobody has judged its answers blind against another model's.")
    source = config.data.source
    return CardFacts(
        name=config.name,
        recipe=tuple(_recipe(config, weights)),
        datasets=(source.strip(),) if is_on_hub(source, workspace) else (),
        data=tuple(_data(workspace, weights)),
        results=results,
        figures=tuple((name, text) for name, text in card.figures if name != "Scores"),
        limits=tuple(limits),
        licence=settled_licence(licence, licence_of(config.model)),
        system_prompt=config.data.system_prompt or "",
    )


def _recipe(config: RunConfig, weights: RunWeights) -> list[tuple[str, str]]:
    plan = read_state(weights.run.paths.plan)
    lines = [("Method", config.method.upper())]
    if config.method == "dpo":
        loss = ", ".join(name for name, weight in config.dpo.losses.items() if weight)
        lines.append(("Loss", f"{loss}, β {config.dpo.beta:g}"))
    if weights.step is not None:
        lines.append(("Steps", f"{weights.step:,}"))
    if config.schedule.max_steps is None:
        lines.append(("Epochs", f"{config.schedule.epochs:g}"))
    rate = f"{config.optimizer.learning_rate:g}, {config.optimizer.schedule}"
    lines += [("Batch", f"{config.batch.total}"), ("Learning rate", rate)]
    lines.append(("Optimizer", config.optimizer.name))
    if (adapter := config.adapter) is not None:
        kind = "DoRA" if adapter.dora else "LoRA"
        scale = "rank-stabilised" if adapter.rslora else "alpha ÷ rank"
        lines.append(("Adapter", f"{kind}, rank {adapter.rank}, alpha {adapter.alpha} ({scale})"))
        where = adapter.targets
        lines.append(("Where", where if isinstance(where, str) else ", ".join(where)))
        if adapter.modules_to_save:
            lines.append(("Trained whole", ", ".join(adapter.modules_to_save)))
    else:
        lines.append(("Adapter", "none: every weight was trained"))
    if config.model.quantization != "none":
        lines.append(("Base while it trained", config.model.quantization.upper()))
    if isinstance(plan.get("trainable_parameters"), int):
        lines.append(("Trained parameters", f"{plan['trainable_parameters']:,}"))
    lines.append(("Seed", str(config.schedule.seed)))
    return lines


def _data(workspace: Workspace, weights: RunWeights) -> list[str]:
    config = weights.run.config
    source = config.data.source
    rows = read_state(weights.run.paths.identity).get("rows", {}).get("train", {})
    number = rows.get("rows")
    count = counted(number) if isinstance(number, int) else "Rows"
    sentences: list[str] = []
    if is_on_hub(source, workspace):
        name = f"[{source}](https://huggingface.co/datasets/{source})"
        sentences.append(f"{count} of {name}, `{config.data.train}`.")
    elif source.startswith(SAMPLES):
        sentences.append(f"{count} of `{source}`, a sample set that comes with VLM Studio.")
    elif source.startswith(EXPORTS):
        sentences += _export(workspace, source, count)
    else:
        sentences.append(f"{count} of files that are not published with it.")
    if digest := rows.get("digest"):
        sentences.append(f"A digest (sha256) of their texts and images, in order: `{digest}`.")
    if config.data.system_prompt:
        sentences.append("Every question had the same system prompt, which is in the code above.")
    return sentences


def _export(workspace: Workspace, source: str, count: str) -> list[str]:
    manifest = read_state(workspace.root / source / MANIFEST)
    name = plain(Path(source).name)
    sentences = [f"{count} of the frozen export {name}."]
    if content := manifest.get("content_hash"):
        sentences.append(f"Its content hash: `{content}`.")
    dataset = manifest.get("dataset")
    if isinstance(dataset, str) and dataset:
        sentences += _labelled(workspace, dataset)
    return sentences


def _labelled(workspace: Workspace, dataset: str) -> list[str]:
    """How a dataset of the library was judged: people counted, never named."""
    try:
        with closing(AnnotationStore(workspace.database_url)) as store:
            answers: list[dict[str, Any]] = store.answers(dataset)
            agreement = store.team.quality(dataset, resamples=0).nominal.value if answers else None
    except StudioError as error:
        log_told(error)
        return ["How they were labelled is no longer in the library."]
    if not answers:
        return ["They came with their answers; nobody judged them here."]
    people = {one["annotator"] for one in answers if not is_judge(one["annotator"])}
    judged = sum(is_judge(one["annotator"]) for one in answers)
    said = f"{counted(len(answers), 'judgement')} by {counted(len(people), 'person', 'people')}"
    if judged:
        said += f" and, {100 * judged / len(answers):.0f} % of them, by models that judge"
    if agreement is not None:
        said += f"; Krippendorff's α between people {agreement:.2f}"
    return [f"How they were labelled: {said}."]
