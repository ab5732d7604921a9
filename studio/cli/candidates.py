"""Answers that a model writes to rows, to be judged: from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from studio.cli.model_options import (
    AdaptersOption,
    BatchSizeOption,
    ColumnsOption,
    KeyOption,
    LimitOption,
    LongestAnswerOption,
    QuantizationOption,
    SplitOption,
)
from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.models.answering.sampling_settings import LONGEST_ANSWER

if TYPE_CHECKING:
    from studio.evaluation.evaluation import Evaluation
    from studio.evaluation.evaluation_request import Wanted
    from studio.launch.candidates import Outcome


Recipe = Literal["greedy+hot", "base+adapter", "with+without-image", "corrupted-image"]


def candidates(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL[@RUN]",
            help='The base model: a hub id, a folder or "embedded"; with @RUN that run\'s adapter.',
        ),
    ] = None,
    adapter: AdaptersOption = None,
    against: Annotated[
        str | None, typer.Option(metavar="base|RUN", help="Somebody who writes beside them.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="library:<dataset>, whose rows get the answers; or a hub id, a file, a folder.",
        ),
    ] = None,
    split: SplitOption = None,
    column: ColumnsOption = None,
    limit: LimitOption = None,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="Only rows of the library without any answer.")
    ] = False,
    answers: Annotated[int, typer.Option("-k", "--answers", help="Answers a row and writer.")] = 4,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest token.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Share of the probability drawn from.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same gives the same answers.")] = 0,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Let the first answer be the likeliest one.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(help="Of the library, for rows that come from elsewhere.")
    ] = None,
    recipe: Annotated[
        Recipe | None,
        typer.Option(
            help="greedy+hot: the likeliest answer first; base+adapter: both write; "
            "with+without-image, corrupted-image: each writes with the image and without it, or "
            "with one spoilt on purpose, whose answers are the worse ones of their pairs."
        ),
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            metavar="different|margin",
            help="The pair of a row: the two answers that differ most, of two writers one of each; "
            "or the one an adapter likes most compared with its base, and the one least.",
        ),
    ] = "different",
    questions: Annotated[
        bool,
        typer.Option(
            "--questions",
            help="Write questions about the images instead, -k to each; they become rows of a "
            "dataset, marked as written by a model.",
        ),
    ] = False,
    max_new_tokens: LongestAnswerOption = LONGEST_ANSWER,
    batch_size: BatchSizeOption = 16,
    quantization: QuantizationOption = "none",
    key_from: KeyOption = "",
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with writing that was stopped.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="What was written, newest first.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Let models write answers to rows; pairs of them wait in the library to be judged."""
    from studio.cli.evaluate import compute_here, list_evaluations
    from studio.evaluation.evaluation_request import Wanted
    from studio.launch.candidates import Delivery, draws_of, outcome_of

    if list_:
        return list_evaluations(look_at(workspace), json, drawn=True)
    place = locate(workspace)
    if resume is not None:
        made = _begun(place, resume)
    else:
        base, run = _parted(model or "")
        wanted = Wanted(
            model=base,
            adapters=tuple([*([run] if run else []), *(adapter or [])]),
            against=against or "",
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            quantization=quantization,
            data=data or "",
            split=split or "",
            draws=draws_of(answers, temperature=temperature, top_p=top_p, seed=seed, greedy=greedy),
            dataset=dataset or "",
            key_from=key_from,
            rule=rule,
        )
        made = _create(
            place,
            wanted,
            column,
            limit=limit,
            unanswered=unanswered,
            recipe=recipe or "",
            questions=questions,
        )
    delivery = Delivery(place, made)
    done = compute_here(place, made, delivery)
    outcome = outcome_of(place, done, delivery.counts["changed"])
    if json:
        print_json(_summary(done, outcome))
    else:
        _tell(done, outcome)
    return 0


def _summary(done: Evaluation, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": done.evaluation_id,
        "state": done.status.state,
        "dataset": done.request.dataset,
        "writers": [one.name for one in done.request.models],
        "rule": done.request.rule,
        "seconds": round(done.status.seconds, 3),
        **outcome.counts,
        "tells": list(outcome.tells),
        "notes": list(done.notes),
    }


def _tell(done: Evaluation, outcome: Outcome) -> None:
    for sentence in outcome.sentences:
        say(sentence)
    for note in done.notes:
        say(f"! {note}")
    if outcome.questions and outcome.counts["answers"]:
        say(f"Answer them: --data 'library:{done.request.dataset}' --unanswered")
    if outcome.counts.get("pairs"):
        say(f"Label them: dataset {done.request.dataset!r} in Annotate.")


def _parted(model: str) -> tuple[str, str]:
    """Part MODEL@RUN@STEP into the base and the run."""
    if model.startswith("endpoint:") or Path(model).is_dir():  # these may have an @ of their own
        return model, ""
    base, _, run = model.partition("@")
    return base, run


def _begun(place: Workspace, name: str) -> Evaluation:
    from studio.evaluation.evaluation_store import EvaluationStore

    made = EvaluationStore(place).get(name)
    if not made.request.draws:
        raise InputError(
            f"{name} scores answers; it writes none into the library.",
            remedy=f"Go on with: python -m studio evaluate --resume {name}",
        )
    return made


def _create(place: Workspace, wanted: Wanted, column: list[str] | None, **how: Any) -> Evaluation:
    from studio.cli.data import mapping
    from studio.launch.candidates import create_candidates

    if not wanted.model or not wanted.data:
        raise InputError(
            "Who writes, and to which rows?",
            remedy="Give MODEL and --data, for example embedded --data library:mine.",
        )
    made = create_candidates(place, wanted, columns=mapping(column), here=True, **how)
    for note in made.request.notes:
        say(f"! {note}")
    return made
