"""From a finished evaluation to pairs in the library, and from its labels to a standing."""

import threading
from dataclasses import replace

import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.library.blinding import REVEALED, veiled
from studio.annotation.records import ItemFilter
from studio.core.errors import ConflictError, DataError, InputError, NotFoundError
from studio.core.paths import Workspace
from studio.data.schema import Answer
from studio.evaluation.evaluation_store import EvaluationStore
from studio.evaluation.match import MatchStore
from studio.launch.matches import close_match, create_match, delete_match, match_standing
from tests.evaluation.answered_evaluations import answered, question


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    yield opened
    opened.close()


ANSWERS = {
    "base": ["no idea"] * 6 + ["six"] * 2,
    "tuned": [str(n) for n in range(6)] + ["Six."] * 2,
}


def judge(store, dataset, who="ana", good=str.isdigit, most=100, kind="choose"):
    """Claim and answer pairs as a page does; how many."""
    for done in range(most):
        card = store.claim(who, dataset)
        if card is None:
            return done
        sides = (card.left, card.right)
        winner = (
            next((side for side in sides if good(side.text)), None) if kind == "choose" else None
        )
        store.save(
            LabelEvent(
                key=f"{who}-{card.pair_id}-{card.version}-{card.repeat}", pair_id=card.pair_id,
                annotator=who, kind=kind, winner_id=winner and winner.candidate_id,
                expected_version=card.version, shown_left_id=card.left.candidate_id,
                repeat=card.repeat,
            )
        )  # fmt: skip
    return most


def test_people_judge_blind_and_the_standing_follows(workspace, store):
    made = create_match(
        workspace, answered(workspace, ANSWERS).evaluation_id, store=store, who="lea"
    )
    assert (len(made.pairs), len(made.alike), made.state) == (6, 2, "open")
    assert match_standing(workspace, made.match_id, store=store).waiting == 6
    judge(store, made.dataset, most=1)
    judge(store, made.dataset, "ben", kind="tie")
    standing = match_standing(workspace, made.match_id, store=store)
    rate = standing.pairs[0].rate
    assert standing.waiting == 0 and (rate.wins, rate.ties, rate.losses) == (1, 5, 0)
    assert rate.second == "tuned" and set(standing.pairs[0].by_person) == {"ana", "ben"}
    store.undo("ana")
    assert match_standing(workspace, made.match_id, store=store).pairs[0].rate.wins == 0


def test_two_people_on_one_row_are_one_row_and_a_match_deleted_meanwhile_loses_no_vote(
    workspace, store
):
    evaluation = answered(workspace, ANSWERS).evaluation_id
    made = create_match(workspace, evaluation, store=store, overlap=2, who="lea")
    ana, ben = store.claim("ana", made.dataset), store.claim("ben", made.dataset)
    assert ana.pair_id == ben.pair_id, "with two votes a row both hold the first one"
    judge(store, made.dataset, "ana", most=1)
    judge(store, made.dataset, "ben", good=lambda text: not text.isdigit(), most=1)
    standing = match_standing(workspace, made.match_id, store=store)
    rate, people = standing.pairs[0].rate, standing.pairs[0].by_person
    assert (standing.judged, rate.value) == (1, 0.5), "they disagree: one row, half a win"
    assert (people["ana"].value, people["ben"].value) == (1.0, 0.0)

    held = store.claim("ana", made.dataset)
    gone = delete_match(workspace, made.match_id, store=store)
    assert (gone.labelled, gone.excluded) == (1, 5)
    event = LabelEvent(
        key="late", pair_id=held.pair_id, annotator="ana", kind="tie", winner_id=None,
        expected_version=held.version, shown_left_id=held.left.candidate_id,
    )  # fmt: skip
    store.save(event)
    assert len(store.answers(made.dataset, excluded=True)) == 3


def test_no_card_nor_veiled_row_tells_who_wrote_what(workspace, store):
    said = dict(zip(("first-run", "other-run"), ANSWERS.values(), strict=True))
    made = create_match(workspace, answered(workspace, said).evaluation_id, store=store)
    card = store.claim("ana", made.dataset)
    (item, *_) = store.browse(ItemFilter(dataset=made.dataset))
    for shown in (card, veiled(item, store.team.viewer("lea")), made.dataset):
        assert not any(name in str(shown) for name in said)
    assert card.authors == ()


def test_votes_that_were_not_blind_and_those_of_programs_are_left_out(workspace, store):
    made = create_match(workspace, answered(workspace, ANSWERS).evaluation_id, store=store)
    store.team.change_settings("lea", made.dataset, {"overlap": 3})
    store.team.note("lea", REVEALED, made.dataset, {})
    judge(store, made.dataset, "lea")
    judge(store, made.dataset, "judge:large")
    judge(store, made.dataset, "ana", most=2)
    standing = match_standing(workspace, made.match_id, store=store)
    assert (standing.not_blind, standing.judges, standing.judged) == (6, 6, 2)


def test_excluded_rows_are_removed_from_it_and_closing_ends_the_waiting(workspace, store):
    made = create_match(workspace, answered(workspace, ANSWERS).evaluation_id, store=store)
    judge(store, made.dataset, most=2)
    ids = store.ids(ItemFilter(dataset=made.dataset, labelled=False))
    store.exclude(ids[:1])
    standing = match_standing(workspace, made.match_id, store=store)
    assert (standing.judged, standing.waiting, standing.removed) == (2, 3, 1)
    assert close_match(workspace, made.match_id, store=store).state == "closed"
    standing = match_standing(workspace, made.match_id, store=store)
    assert (standing.judged, standing.waiting, standing.removed) == (2, 0, 4)
    assert store.claim("ben", made.dataset) is None


def test_an_answer_to_a_pair_that_was_on_the_page_at_the_end_counts(workspace, store):
    made = create_match(workspace, answered(workspace, ANSWERS).evaluation_id, store=store)
    card = store.claim("ana", made.dataset)
    close_match(workspace, made.match_id, store=store)
    event = LabelEvent(
        key="late", pair_id=card.pair_id, annotator="ana", kind="tie",
        expected_version=card.version, shown_left_id=card.left.candidate_id, repeat=card.repeat,
    )  # fmt: skip
    store.save(event)
    standing = match_standing(workspace, made.match_id, store=store)
    assert (standing.judged, standing.waiting) == (1, 0)
    assert standing.removed == len(made.pairs) - 1
    close_match(workspace, made.match_id, store=store)  # from a second tab
    assert match_standing(workspace, made.match_id, store=store).judged == 1


def test_one_evaluation_has_one_match_and_one_cut_short_goes_on(workspace, store, monkeypatch):
    evaluation = answered(workspace, ANSWERS)
    importing = AnnotationStore.importing

    def full(*arguments, **options):
        raise DataError("the disk is full")

    monkeypatch.setattr(AnnotationStore, "importing", full)
    with pytest.raises(DataError):
        create_match(workspace, evaluation.evaluation_id, store=store)
    (begun,) = MatchStore(workspace).list()
    assert begun.state == "being made" and store.datasets() == []
    with pytest.raises(ConflictError, match="was cut short"):
        close_match(workspace, begun.match_id, store=store)
    monkeypatch.setattr(AnnotationStore, "importing", importing)
    made = create_match(workspace, evaluation.evaluation_id, store=store)
    assert made.match_id == begun.match_id and len(MatchStore(workspace).list()) == 1
    with pytest.raises(ConflictError, match="has a match already"):
        create_match(workspace, evaluation.evaluation_id, store=store)


@pytest.mark.parametrize(
    ("answers", "ended", "said"),
    [
        ({"base": ["a"], "tuned": ["b"]}, False, "is queued: not every answer"),
        ({"base": ["a"]}, True, "has one model"),
        ({name: ["a"] for name in "abcde"}, True, "has 5 models"),
    ],
)
def test_what_no_match_can_be_made_of_is_refused_with_its_reason(
    workspace, store, answers, ended, said
):
    evaluation = answered(workspace, answers, ended=ended)
    with pytest.raises(InputError, match=said):
        create_match(workspace, evaluation.evaluation_id, store=store)
    assert store.datasets() == [] and MatchStore(workspace).list() == []


def test_answers_all_alike_are_nothing_to_judge(workspace, store):
    evaluation = answered(workspace, {"base": ["a", "b"], "tuned": ["A", "b."]})
    made = create_match(workspace, evaluation.evaluation_id, store=store)
    assert (made.state, made.pairs, len(made.alike)) == ("closed", (), 2)
    assert "nothing to judge" in match_standing(workspace, made.match_id).sentences[0]
    assert store.datasets() == []


def test_what_is_deleted_meanwhile_is_said(workspace, store):
    evaluation = answered(workspace, ANSWERS, runs={"tuned": "a-run-that-is-gone"})
    made = create_match(workspace, evaluation.evaluation_id, store=store)
    assert "What tuned was trained on cannot be read any more" in made.notes[0]
    judge(store, made.dataset)
    EvaluationStore(workspace).delete(evaluation.evaluation_id)
    assert match_standing(workspace, made.match_id, store=store).judged == 6
    with pytest.raises(NotFoundError):
        create_match(workspace, evaluation.evaluation_id, store=store)
    with AnnotationStoreOf(workspace) as other, pytest.raises(NotFoundError, match="is gone"):
        match_standing(other, made.match_id)


def test_no_second_match_is_made_beside_a_damaged_one_until_it_is_deleted(workspace, store):
    evaluation = answered(workspace, ANSWERS)
    made = create_match(workspace, evaluation.evaluation_id, store=store)
    judge(store, made.dataset, most=2)
    path = workspace.matches / f"{made.match_id}.json"
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(ConflictError, match="is damaged") as refused:
        create_match(workspace, evaluation.evaluation_id, store=store)
    assert f"match --delete {made.match_id}" in refused.value.remedy
    with pytest.raises(InputError, match="damaged"):
        match_standing(workspace, made.match_id, store=store)
    gone = delete_match(workspace, made.match_id[:-1], store=store)

    assert (gone.match_id, gone.labelled, gone.excluded) == (made.match_id, 2, 4)
    assert store.claim("ben", made.dataset) is None
    assert len(store.answers(made.dataset)) == 2
    again = create_match(workspace, evaluation.evaluation_id, store=store)
    assert again.match_id != made.match_id and len(again.pairs) == 6


def test_rows_in_the_bin_are_said_and_come_back(workspace, store):
    made = create_match(workspace, answered(workspace, ANSWERS).evaluation_id, store=store)
    judge(store, made.dataset, most=2)
    ids = store.ids(ItemFilter(dataset=made.dataset))
    store.delete(ids)
    with pytest.raises(NotFoundError, match="are in the bin of the library"):
        match_standing(workspace, made.match_id, store=store)
    store.restore(ids)
    assert match_standing(workspace, made.match_id, store=store).judged == 2


class AnnotationStoreOf:
    """The same workspace with an empty database."""

    def __init__(self, workspace):
        self.workspace = workspace

    def __enter__(self):
        other = Workspace.locate(self.workspace.root / "other")
        other.matches.mkdir()
        for file in self.workspace.matches.iterdir():
            (other.matches / file.name).write_bytes(file.read_bytes())
        return other

    def __exit__(self, *_):
        return False


def test_rows_of_images_that_a_contestant_learned_from_are_left_out(workspace, store, monkeypatch):
    rows = [question(n, [f"{n:064x}"]) for n in range(3)]
    evaluation = answered(
        workspace, {"base": list("abc"), "tuned": list("xyz")}, rows=rows, runs={"tuned": "run"}
    )
    monkeypatch.setattr(
        "studio.launch.matches._trained", lambda *_: ({"tuned": frozenset(rows[0].images)}, ())
    )
    made = create_match(workspace, evaluation.evaluation_id, store=store)
    assert len(made.pairs) == 2 and sum(made.left_out.values()) == 1


def test_two_pages_that_ask_at_once_make_one_match(workspace, store):
    evaluation = answered(workspace, ANSWERS)
    ended = []

    def make():
        try:
            ended.append(create_match(workspace, evaluation.evaluation_id, store=store).state)
        except ConflictError:
            ended.append("refused")

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["open", "refused", "refused"]
    assert len(MatchStore(workspace).list()) == len(store.datasets()) == 1


def test_rows_that_somebody_adds_to_its_dataset_are_none_of_the_match(workspace, store):
    made = create_match(workspace, answered(workspace, ANSWERS).evaluation_id, store=store)
    sides = (Answer("no", "x"), Answer("7", "y"))
    store.add_rows(made.dataset, [replace(question(77), completion=None, candidates=sides)])
    judge(store, made.dataset)
    standing = match_standing(workspace, made.match_id, store=store)
    assert (standing.judged, standing.waiting) == (6, 0)
