"""Blind matches: an evaluation's answers become pairs of the library, its labels a win rate."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from filelock import FileLock

from studio.annotation import AnnotationStore
from studio.annotation.records import TIES, ItemFilter, is_judge
from studio.core.errors import ConflictError, InputError, NotFoundError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluated_rows import read_rows, trained_images
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_store import EvaluationStore, read_answers
from studio.evaluation.match import ENDING, Match, MatchStore
from studio.evaluation.match_pairs import MatchRows, pair_up
from studio.evaluation.match_standing import Standing, standing_of
from studio.evaluation.win_rate import Vote
from studio.launch.judge_job import stop_judge
from studio.launch.opened_store import opened_store
from studio.runs.store import RunStore

LEAST, MOST = 2, 4
SOURCE = "match"


def create_match(
    workspace: Workspace,
    evaluation_id: str,
    *,
    store: AnnotationStore | None = None,
    overlap: int = 1,
    who: str = "",
    with_seen: bool = False,
    about: str = "",
) -> Match:
    """Make the pairs of an evaluation's answers and put them into the library to be judged.

    One that was cut short is gone on with.

    Args:
        store: The store that this process has open; None: one is opened.
        overlap: People who judge each pair.
        with_seen: Keep rows with an image that a contestant was trained on.
        about: The contestant that each pair is to have; empty: every two contestants are compared.

    Raises:
        InputError: It cannot be made of this evaluation; the sentence says why.
        ConflictError: There is a match of it already.
        RunFailedError, DataError: The disk or the database takes no more.
    """
    evaluation = _finished(workspace, evaluation_id)
    workspace.matches.mkdir(parents=True, exist_ok=True)
    # Two pages that ask at once make one match: the second finds the first one's.
    with FileLock(workspace.matches / ".making.lock", timeout=60):
        return _created(workspace, evaluation, store, overlap, who, with_seen, about)


def _created(
    workspace: Workspace,
    evaluation: Evaluation,
    store: AnnotationStore | None,
    overlap: int,
    who: str,
    with_seen: bool,
    about: str,
) -> Match:
    matches = MatchStore(workspace)
    begun = matches.of_evaluation(evaluation.evaluation_id)
    if begun is not None and begun.state != "being made":
        raise ConflictError(
            f"Evaluation {evaluation.evaluation_id} has a match already: {begun.match_id}, dataset "
            f"{begun.dataset!r}.",
            remedy="Judge that one, or evaluate again on other rows.",
        )
    if begun is None and (damaged := matches.damaged(evaluation.evaluation_id)):
        # It may be this evaluation's own: a second one would ask people the same again.
        raise ConflictError(
            f"The file of match {damaged[0]} is damaged, and it may be the match of evaluation "
            f"{evaluation.evaluation_id}.",
            remedy=f"Bring {workspace.matches / damaged[0]}{ENDING} back from a backup, or forget that "
            f"match: python -m studio match --delete {damaged[0]}",
        )
    match_id = begun.match_id if begun else matches.new_id()
    about = begun.about if begun else about
    trained, notes = ({}, ()) if with_seen else _trained(workspace, evaluation.request.models)
    found = _pairs(workspace, evaluation, match_id, trained, about)
    match = Match(
        match_id=match_id,
        evaluation=evaluation.evaluation_id,
        data=evaluation.request.source,
        dataset=dataset_of(match_id),
        contestants=tuple(model.name for model in evaluation.request.models),
        pairs=found.pairs,
        alike=found.alike,
        left_out=found.left_out,
        tells=found.tells,
        overlap=overlap,
        created=time.time(),
        who=who,
        notes=notes,
        about=about,
    )
    matches.write(match)
    if found.rows:
        with opened_store(workspace, store) as library:
            with library.importing(match.dataset, source=SOURCE, on_change="keep") as batch:
                batch.add_rows(found.rows)
            if overlap > 1:
                library.team.change_settings(who or "studio", match.dataset, {"overlap": overlap})
    done = replace(match, state="open" if found.rows else "closed")
    matches.write(done)
    return done


def match_standing(
    workspace: Workspace, match_id: str, *, store: AnnotationStore | None = None
) -> Standing:
    """Count what people said in a match so far.

    Raises:
        NotFoundError: There is no such match, or its dataset is gone.
    """
    match = MatchStore(workspace).get(match_id)
    if not match.pairs:
        return standing_of(match, [])
    with opened_store(workspace, store) as library:
        try:
            records = library.answers(match.dataset, excluded=bool(match.unasked))
        except NotFoundError as error:
            raise NotFoundError(
                f"The dataset {match.dataset!r} of match {match.match_id} is gone, and with it what "
                "people said.",
                remedy="Take it back from a backup, or make the match again.",
            ) from error
        there = {
            item.external_id for item in library.every(ItemFilter(match.dataset, excluded=False))
        }
        binned = 0 if there else library.count(ItemFilter(match.dataset, deleted=True))
    if binned:
        raise NotFoundError(
            f"All {counted(binned, 'pair')} of match {match.match_id} are in the bin of the library, "
            "and with them what people said.",
            remedy=f"Take the rows of {match.dataset!r} out of the bin (Data, In the bin), or forget "
            f"the match: python -m studio match --delete {match.match_id}",
        )
    rows = {pair.item: pair.row for pair in match.pairs}
    # Rows that somebody added to the dataset are none of the match, nor are those taken out of it.
    counted_ids = rows.keys() & (there | set(match.unasked))
    judged = [
        record
        for record in records
        if record["kind"] in (*TIES, "choose") and record["id"] in counted_ids
    ]
    late = {record["id"] for record in judged} - there
    removed = sum(pair.item not in there and pair.item not in late for pair in match.pairs)
    of_people = [one for one in judged if not is_judge(one["annotator"])]
    blind = [one for one in of_people if not one["authors_seen"]]
    return standing_of(
        match,
        [_vote(record, rows[record["id"]]) for record in blind],
        removed=removed,
        not_blind=len(of_people) - len(blind),
        judges=len(judged) - len(of_people),
    )


def close_match(
    workspace: Workspace, match_id: str, *, store: AnnotationStore | None = None
) -> Match:
    """End the judging: pairs without a vote are excluded, so that nobody is asked any more.

    Raises:
        NotFoundError: There is no such match.
        ConflictError: It is not made yet.
    """
    matches = MatchStore(workspace)
    match = matches.get(match_id)
    if match.state == "being made":
        raise ConflictError(
            f"Match {match.match_id} was cut short while it was made.",
            remedy="Make it again from its evaluation first: it goes on where it stopped.",
        )
    with opened_store(workspace, store) as library:
        waiting = list(
            library.every(ItemFilter(dataset=match.dataset, labelled=False, excluded=False))
        )
        unasked = (*match.unasked, *(item.external_id for item in waiting))
        closed = replace(match, state="closed", unasked=unasked)
        matches.write(closed)  # first: an answer that comes in between is counted
        library.exclude([item.id for item in waiting])
    return closed


@dataclass(frozen=True)
class DeletedMatch:
    """What is left of a match that was deleted.

    Attributes:
        dataset: Of the library; it stays.
        labelled: Rows of it that people have judged.
        excluded: Rows of it that nobody is asked about any more.
    """

    match_id: str
    dataset: str
    labelled: int
    excluded: int

    @property
    def sentence(self) -> str:
        """What became of it, for people."""
        said = [f"Match {self.match_id} is forgotten."]
        if self.labelled:
            judged = counted(self.labelled, "pair")
            said.append(f"{judged} judged stay in the library, dataset {self.dataset!r}.")
        if self.excluded:
            left = counted(self.excluded, "pair")
            said.append(f"{left} not judged are excluded: nobody is asked any more.")
        return " ".join(said)


def delete_match(
    workspace: Workspace, match_id: str, *, store: AnnotationStore | None = None
) -> DeletedMatch:
    """Forget a match, also a damaged one, and ask nobody about its pairs any more.

    A model that judges it is stopped. What people said stays in its dataset; the evaluation can
    have another match then.

    Raises:
        NotFoundError: There is no such match.
        InputError: Several begin so.
        RunFailedError: Its file cannot be removed.
    """
    matches = MatchStore(workspace)
    found = matches.find(match_id)
    workspace.matches.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.matches / ".making.lock", timeout=60):
        dataset = dataset_of(found)
        stop_judge(workspace, dataset)  # nobody wants its verdicts any more
        with opened_store(workspace, store) as library:
            waiting = library.ids(ItemFilter(dataset=dataset, labelled=False, excluded=False))
            library.exclude(waiting)
            labelled = library.count(ItemFilter(dataset=dataset, labelled=True))
        matches.delete(found)
    return DeletedMatch(found, dataset, labelled, len(waiting))


def dataset_of(match_id: str) -> str:
    """Return what the dataset of a match is called in the library."""
    return f"match {match_id}"


def _finished(workspace: Workspace, evaluation_id: str) -> Evaluation:
    evaluation = EvaluationStore(workspace).get(evaluation_id)
    name, state = evaluation.evaluation_id, evaluation.status.state
    if state != "finished":
        raise InputError(
            f"Evaluation {name} is {state}: not every answer is there.",
            remedy="Wait for its end."
            if state in ("queued", "running")
            else f"Go on with it: python -m studio evaluate --resume {name}",
        )
    models = len(evaluation.request.models)
    if not LEAST <= models <= MOST:
        had = "one model" if models == 1 else f"{models} models"
        raise InputError(
            f"Evaluation {name} has {had}; a match is between {LEAST} to {MOST}.",
            remedy="Evaluate again with --adapter and --against.",
        )
    return evaluation


def _pairs(
    workspace: Workspace,
    evaluation: Evaluation,
    match_id: str,
    trained: Mapping[str, frozenset[str]],
    about: str,
) -> MatchRows:
    paths = EvaluationStore(workspace).paths(evaluation)
    answered, _ = read_answers(paths)
    models = evaluation.request.models
    if not answered:
        raise InputError(
            f"In evaluation {evaluation.evaluation_id} nothing was written, only likelihoods.",
            remedy="Evaluate again with a metric of answers, for example --metrics words.",
        )
    return pair_up(
        read_rows(paths.rows),
        answered,
        [model.name for model in models],
        trained=trained,
        seed=match_id,
        about=about,
    )


def _trained(
    workspace: Workspace, models: tuple[EvaluatedModel, ...]
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """The images that each contestant was trained on; of whom it is not known any more, in words."""
    found: dict[str, frozenset[str]] = {}
    unknown: list[str] = []
    for model in models:
        if not model.run:
            continue
        try:
            run = RunStore(workspace).get(model.run)
            found[model.name] = frozenset(trained_images(run, workspace))
        except StudioError as error:
            log_told(error)
            unknown.append(
                f"What {model.name} was trained on cannot be read any more ({error.message}): rows "
                "that it has seen may be among these."
            )
    return found, tuple(unknown)


def _vote(record: dict[str, Any], row: str) -> Vote:
    names = tuple(answer["author"] for answer in record["answers"])
    winner = None if record["kind"] != "choose" else names[record["preferred"]]
    return Vote(row, record["annotator"], (names[0], names[1]), winner)
