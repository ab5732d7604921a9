"""Answers that a model writes to rows, to be judged: from the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.core.errors import InputError
from studio.core.plurals import counted

ALL_ALIKE = (
    "The answers to each row are alike, so there is nothing to choose between: raise --temperature, "
    "or let another model write beside it with --against."
)


def candidates(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL[@RUN]",
            help='The base model: a hub id, a folder or "embedded"; with @RUN that run\'s adapter.',
        ),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="RUN[@STEP]|DIR|endpoint:URL#MODEL",
            help="Who writes: a run, a checkpoint, an adapter folder, a model of an OpenAI-compatible "
            "server; several write side by side.",
        ),
    ] = None,
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
    split: Annotated[str | None, typer.Option(help="A split or a slice of one.")] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="ROLE=NAME", help="question=query")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
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
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=4096, help="Longest answer; it is cut there.")
    ] = 128,
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help="Answers at once.")] = 16,
    quantization: Annotated[str, typer.Option(help="none, int8, nf4 or fp4.")] = "none",
    key_from: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The environment variable that holds the key of the endpoint."
        ),
    ] = "",
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with writing that was stopped.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Let models write answers to rows; pairs of them wait in the library to be judged."""
    from studio.cli.data import mapping
    from studio.cli.evaluate import compute_here
    from studio.evaluation.evaluation_request import Wanted
    from studio.evaluation.evaluation_store import EvaluationStore
    from studio.launch.candidates import Delivery, create_candidates, draws_of

    place = locate(workspace)
    if resume is not None:
        made = EvaluationStore(place).get(resume)
        if not made.request.draws:
            raise InputError(
                f"{resume} scores answers; it writes none into the library.",
                remedy=f"Go on with: python -m studio evaluate --resume {resume}",
            )
    else:
        base, _, run = (model or "").partition("@")
        if (model or "").startswith("endpoint:"):  # an address may have an @ of its own
            base, run = model or "", ""
        if not base or data is None:
            raise InputError(
                "Who writes, and to which rows?",
                remedy="Give MODEL and --data, for example embedded --data library:mine.",
            )
        wanted = Wanted(
            model=base,
            adapters=tuple([*([run] if run else []), *(adapter or [])]),
            against=against or "",
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            quantization=quantization,
            data=data,
            split=split or "",
            draws=draws_of(answers, temperature=temperature, top_p=top_p, seed=seed, greedy=greedy),
            dataset=dataset or "",
            key_from=key_from,
        )
        made = create_candidates(
            place, wanted, columns=mapping(column), limit=limit, unanswered=unanswered
        )
        for note in made.request.notes:
            say(f"! {note}")
    delivery = Delivery(place, made)
    done = compute_here(place, made, delivery)
    found = dict(delivery.counts)
    if json:
        print_json(
            {
                "id": done.evaluation_id,
                "dataset": done.request.dataset,
                "writers": [one.name for one in done.request.models],
                "seconds": round(done.status.seconds, 3),
                **found,
            }
        )
        return 0
    say(
        f"{counted(found.get('answers', 0), 'answer')} to {counted(found.get('rows', 0), 'row')}; "
        f"{counted(found.get('pairs', 0), 'pair')} wait in Annotate, dataset "
        f"{done.request.dataset!r}."
    )
    if not found.get("pairs"):
        say(ALL_ALIKE)
    for name, words in (
        ("repeats", "said the same as another and were left out"),
        ("empty", "were empty"),
        ("failed", "rows could not be answered"),
        ("changed", "rows are other ones in the library by now and were left as they are"),
    ):
        if found.get(name):
            say(f"{found[name]:,} {words}.")
    return 0
