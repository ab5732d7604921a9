"""Blind matches between models, from the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.model_options import (
    AdaptersOption,
    KeyOption,
    LimitOption,
    LongestAnswerOption,
    SplitOption,
)
from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError
from studio.core.local_time import minute
from studio.core.paths import Workspace
from studio.core.plurals import counted

if TYPE_CHECKING:
    from studio.evaluation.match import Match


def match(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL|EVALUATION",
            help='A base model (a hub id, a folder, "embedded"), or the id of an evaluation whose '
            "answers are judged.",
        ),
    ] = None,
    adapter: AdaptersOption = None,
    against: Annotated[
        str | None, typer.Option(metavar="base|RUN", help="The contestant that others are up to.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="The rows to answer: as for evaluate; run:RUN for held-out ones."
        ),
    ] = None,
    split: SplitOption = None,
    limit: LimitOption = None,
    max_new_tokens: LongestAnswerOption = 64,
    key_from: KeyOption = "",
    overlap: Annotated[int, typer.Option(min=1, max=50, help="People who judge each pair.")] = 1,
    with_seen: Annotated[
        bool,
        typer.Option("--with-seen", help="Keep rows with an image a contestant was trained on."),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="The matches of the workspace.")] = False,
    show: Annotated[str | None, typer.Option(metavar="ID", help="How a match stands.")] = None,
    close: Annotated[
        str | None,
        typer.Option(metavar="ID", help="End the judging; pairs without a vote are excluded."),
    ] = None,
    delete: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Forget a match, also a damaged one; its dataset with the labels stays.",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Let people judge models blind: make a match, and see how it stands."""
    if list_:
        return _list(look_at(workspace), json)
    if sum(one is not None for one in (show, close, delete)) > 1:
        raise InputError(
            "Show a match, close or delete one?", remedy="Give --show, --close or --delete."
        )
    if delete is not None:
        return _delete(look_at(workspace), delete, json)
    if show is not None or close is not None:
        return _show(look_at(workspace), show or close or "", json, ends=close is not None)
    place = locate(workspace)
    evaluation_id = model or ""
    if adapter or data:
        evaluation_id = _answered(
            place, model, adapter or [], against, data, split, limit, max_new_tokens, key_from
        )
    if not evaluation_id:
        raise InputError(
            "A match between whom?",
            remedy="Give a finished evaluation, or MODEL --adapter RUN --against base --data SOURCE.",
        )
    from studio.launch.matches import create_match

    made = create_match(place, evaluation_id, overlap=overlap, with_seen=with_seen)
    if json:
        print_json(_summary(made))
        return 0
    say(f"Match {made.match_id}: {' against '.join(made.contestants)}")
    _tell(made)
    return 0


def _answered(
    place: Workspace,
    model: str | None,
    adapters: list[str],
    against: str | None,
    data: str | None,
    split: str | None,
    limit: int | None,
    max_new_tokens: int,
    key_from: str,
) -> str:
    """The id of an evaluation in which the contestants have answered the rows."""
    from studio.cli.evaluate import compute_here
    from studio.evaluation.evaluation_request import Wanted
    from studio.launch.evaluation_job import create_evaluation

    if model is None or data is None:
        raise InputError(
            "Which model, on which rows?", remedy="Give MODEL and --data, as for evaluate."
        )
    wanted = Wanted(
        model=model,
        adapters=tuple(adapters),
        against=against or "base",
        max_new_tokens=max_new_tokens,
        data=data,
        split=split or "",
        key_from=key_from,
    )
    made = create_evaluation(place, wanted, limit=limit, here=True)
    for note in made.request.notes:
        say(f"! {note}")
    return compute_here(place, made).evaluation_id


def _tell(made: Match) -> None:
    if made.pairs:
        say(
            f"{counted(len(made.pairs), 'pair')} wait for people in Annotate, dataset "
            f"{made.dataset!r}."
        )
    else:
        say("All answers are alike or left out: there is nothing to judge.")
    if made.alike:
        say(f"{counted(len(made.alike), 'pair')} say the same and count as ties.")
    for reason, count in made.left_out.items():
        say(f"{counted(count, 'pair')} left out: {reason}.")
    for note in made.notes:
        say(f"! {note}")
    for tell in made.tells:
        say(f"! Whoever judges may tell them apart: {tell}.")


def _show(place: Workspace, match_id: str, json: bool, *, ends: bool) -> int:
    from studio.evaluation.match import MatchStore
    from studio.launch.matches import close_match, match_standing

    made = close_match(place, match_id) if ends else MatchStore(place).get(match_id)
    standing = match_standing(place, made.match_id)
    if json:
        print_json({**_summary(made), "standing": standing.to_json()})
        return 0
    say(
        f"Match {made.match_id}, {made.state}: {standing.judged:,} of {len(made.pairs):,} pairs "
        f"judged, {standing.waiting:,} waiting."
    )
    for sentence in standing.sentences:
        typer.echo(sentence)
    for pair in standing.pairs:
        for person, rate in pair.by_person.items():
            share = "–" if rate.value is None else f"{rate.value:.0%}"
            typer.echo(
                f"  {person}: {pair.rate.second} wins {share} of {counted(rate.votes, 'vote')}"
            )
    if standing.not_blind:
        typer.echo(f"! {counted(standing.not_blind, 'vote')} not counted: not given blind.")
    if standing.judges:
        typer.echo(f"! {counted(standing.judges, 'vote')} of programs not counted among people's.")
    return 0


def _delete(place: Workspace, match_id: str, json: bool) -> int:
    from studio.launch.matches import delete_match

    gone = delete_match(place, match_id)
    if json:
        print_json(asdict(gone))
        return 0
    say(gone.sentence)
    return 0


def _list(place: Workspace, json: bool) -> int:
    from studio.evaluation.match import MatchStore

    matches = MatchStore(place)
    found, damaged = matches.list(), matches.damaged()
    if json:
        print_json({"matches": [_summary(one) for one in found], "damaged": list(damaged)})
        return 0
    for name in damaged:
        say(f"! {name}: its file is damaged. python -m studio match --delete {name} forgets it.")
    if not (found or damaged):
        say("No matches yet.")
    for one in found:
        when = minute(one.created)
        typer.echo(
            f"{one.match_id:<22} {one.state:<10} {len(one.pairs):>5} pairs  {when}  "
            f"{' · '.join(one.contestants)}"
        )
    return 0


def _summary(made: Match) -> dict[str, object]:
    return {
        "match": made.match_id,
        "state": made.state,
        "evaluation": made.evaluation,
        "dataset": made.dataset,
        "data": made.data,
        "contestants": list(made.contestants),
        "pairs": len(made.pairs),
        "alike": len(made.alike),
        "left_out": made.left_out,
        "tells": list(made.tells),
        "notes": list(made.notes),
        "overlap": made.overlap,
    }
