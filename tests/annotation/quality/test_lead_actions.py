"""Overlap, adjudication, gold, second showings, qualification, guidelines, log."""

from __future__ import annotations

import pytest

from studio.annotation import Span, TextChange
from studio.annotation.labeling import assignment_queue
from studio.annotation.labeling.showings import Viewer
from studio.annotation.quality import gold
from studio.annotation.quality.adjudication import DecisionEvent
from studio.annotation.quality.case_versions import GoldConflict
from studio.annotation.quality.project_changes import Clash, ProjectConflict, ProjectForm
from studio.core.errors import ConflictError, InputError, NotFoundError
from tests.annotation.conftest import answer, make_rows


def label_all(store, name: str, side: str = "left", **changes) -> int:
    count = 0
    while card := store.claim(name):
        store.save(answer(card, name, side, **changes))
        count += 1
    return count


def by_first(card) -> str:
    """The side on which the pair's first candidate is."""
    return "left" if card.left.candidate_id < card.right.candidate_id else "right"


def test_overlap_changes_in_mid_project_and_nothing_answered_is_dropped(store):
    store.add_rows("charts", make_rows(4))
    assert label_all(store, "ana") == 4
    assert label_all(store, "ben") == 0
    store.team.change_settings("lea", "charts", {"overlap": 2})
    assert label_all(store, "ben") == 4
    store.team.change_settings("lea", "charts", {"overlap": 1})
    assert label_all(store, "cho") == 0
    assert store.progress().labelled == 8


def test_settings_out_of_range_change_nothing(store):
    store.add_rows("charts", make_rows(1))
    for values in ({"overlap": 0}, {"gold_share": 2}, {"aspects": ["a", "a"]}, {"colour": "red"}):
        with pytest.raises(InputError) as caught:
            store.team.change_settings("lea", "charts", values)
        assert caught.value.field == next(iter(values))
    assert store.team.settings("charts").overlap == 1
    with pytest.raises(NotFoundError):
        store.team.settings("nothing")


def test_many_skips_go_to_the_lead_who_decides(store):
    store.add_rows("charts", make_rows(1))
    for name in ("ana", "ben", "cho"):
        store.save(answer(store.claim(name), name, kind="skip", reason="blurred"))
    assert store.claim("dan") is None
    case = store.team.next_case("lea")
    assert (case.queue, [vote.reason for vote in case.votes]) == ("skipped", ["blurred"] * 3)
    winner = case.card.left.candidate_id
    event = DecisionEvent("decision-1", case.card.pair_id, "lea", "choose", winner)
    store.team.decide(event)
    store.team.decide(event)
    assert store.team.next_case("lea") is None
    assert store.team.case(case.card.pair_id, "lea").decided == ("choose", winner)
    assert [row.chosen.text for row in store.preferences("charts")] == [case.card.left.text]


def test_a_disagreement_waits_for_a_decision_and_reopening_gives_it_back(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"overlap": 2})
    ana, ben = store.claim("ana"), store.claim("ben")
    store.save(answer(ana, "ana", by_first(ana)))
    other = "right" if by_first(ben) == "left" else "left"
    store.save(answer(ben, "ben", other, comment="the axis"))
    assert store.team.queue_sizes("charts")["disagreed"] == 1
    case = store.team.next_case("lea", "charts")
    assert [vote.annotator for vote in case.votes] == ["ana", "ben"]
    assert case.votes[1].comment == "the axis"
    assert set(case.authors.values()) == {"model-a", "model-b"}
    store.team.decide(DecisionEvent("d-1", ana.pair_id, "lea", "tie"))
    store.team.decide(DecisionEvent("d-2", ana.pair_id, "lea", "reopen"))
    assert store.team.queue_sizes()["disagreed"] == 1


def test_a_decision_replaces_only_one_that_its_lead_was_shown(store):
    store.add_rows("charts", make_rows(2))
    lena, lee = store.team.case(1, "lena"), store.team.case(1, "lee")
    assert (lena.version, lena.decided_by) == (0, "")
    first = DecisionEvent("d-1", 1, "lena", "tie", seen=lena.version)
    store.team.decide(first)
    with pytest.raises(ConflictError, match="lena decided this pair meanwhile"):
        store.team.decide(DecisionEvent("d-2", 1, "lee", "both_bad", seen=lee.version))
    store.team.decide(first)  # the same key again is no conflict
    case = store.team.case(1, "lee")
    assert (case.decided, case.decided_by) == (("tie", None), "lena")
    store.team.decide(DecisionEvent("d-3", 1, "lee", "both_bad", seen=case.version))
    with pytest.raises(ConflictError, match="lee decided this pair meanwhile"):
        store.team.decide(DecisionEvent("d-4", 1, "lena", "reopen", seen=case.version))
    assert store.team.case(1, "lena").decided == ("both_bad", None)
    store.team.decide(DecisionEvent("d-5", 2, "lena", "tie", seen=0))
    with pytest.raises(ConflictError, match="You decided this pair elsewhere"):
        store.team.decide(DecisionEvent("d-6", 2, "lena", "both_bad", seen=0))


def test_gold_replaces_only_what_its_lead_was_shown(store):
    store.add_rows("charts", make_rows(2))
    shown = store.team.case(1, "lee").gold_version
    store.team.set_gold("lena", 1, "tie", None, seen=shown)
    with pytest.raises(ConflictError, match="lena made this pair gold meanwhile"):
        store.team.set_gold("lee", 1, "both_bad", None, seen=shown)
    with pytest.raises(ConflictError, match="lena made this pair gold meanwhile"):
        store.team.unset_gold("lee", 1, shown)
    case = store.team.case(1, "lee")
    assert case.gold == ("tie", None)
    store.team.unset_gold("lee", 1, case.gold_version)
    with pytest.raises(ConflictError, match="lee made this pair an ordinary one again meanwhile"):
        store.team.set_gold("lena", 1, "tie", None, seen=case.gold_version)
    store.team.set_gold("lena", 2, "tie", None)
    assert store.team.case(2, "lee").gold_version > store.team.case(1, "lee").gold_version > 0


def test_gold_of_another_lead_is_changed_by_o_only_once_that_was_told(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"overlap": 2, "repeat_share": 0})
    handles = {}
    for name in ("lena", "lee"):
        card = store.claim(name)
        handles[name] = card.handle
        store.save(answer(card, name, kind="tie"))
    assert store.team.toggle_gold("lena", handles["lena"]) is True
    with pytest.raises(GoldConflict, match="lena made this pair gold") as caught:
        store.team.toggle_gold("lee", handles["lee"])
    assert store.team.case(1, "lee").gold == ("tie", None)
    assert store.team.toggle_gold("lena", handles["lena"]) is False
    with pytest.raises(GoldConflict, match="an ordinary one again"):
        store.team.toggle_gold("lee", handles["lee"], caught.value.version)
    version = store.team.case(1, "lee").gold_version
    assert store.team.toggle_gold("lee", handles["lee"], version) is True


def test_a_form_is_saved_whole_and_not_over_what_another_lead_changed(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lena", "charts", {"overlap": 3})
    store.team.change_settings("eve", "charts", {"skip_limit": 5})
    store.team.write_guidelines("lena", "charts", "hers", 0)
    form = ProjectForm({"overlap": 2, "qualification": 1}, {"overlap": 1, "qualification": 0})
    with pytest.raises(ProjectConflict, match="Overlap was changed by lena meanwhile") as caught:
        store.team.save_project("lee", "charts", form)
    assert caught.value.clashes == [Clash("overlap", "lena", 3)]
    with pytest.raises(ProjectConflict, match="Guidelines were changed by lena meanwhile"):
        store.team.save_project("lee", "charts", ProjectForm({"qualification": 1}, {}, "mine", 0))
    settings = store.team.settings("charts")
    assert (settings.overlap, settings.qualification) == (3, 0)
    assert store.team.guidelines("charts").text == "hers"
    agreeing = ProjectForm({"overlap": 3}, {"overlap": 1}, "hers", 0)
    assert store.team.save_project("lee", "charts", agreeing)[1] == 1
    changed, seen = store.team.save_project(
        "lee", "charts", ProjectForm({"overlap": 2}, {"overlap": 3}, "mine", 1)
    )
    assert (changed.overlap, changed.skip_limit, seen) == (2, 5, 2)


@pytest.mark.parametrize(
    ("kind", "winner"), [("choose", 999), ("choose", None), ("tie", 1), ("skip", None)]
)
def test_decisions_that_do_not_fit(store, kind, winner):
    store.add_rows("charts", make_rows(1))
    with pytest.raises(InputError):
        store.team.decide(DecisionEvent("d", 1, "lea", kind, winner))


def test_a_flag_calls_the_lead(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"aspects": ["Faithful"]})
    card = store.claim("ana")
    span, best = Span(card.left.candidate_id, 0, 3), {"Faithful": card.left.candidate_id}
    event = answer(card, "ana", flagged=True, comment="legends", spans=(span,), aspects=best)
    store.save(event)
    case = store.team.next_case("lea")
    assert (case.queue, case.gold) == ("flagged", None)
    assert (case.votes[0].spans, case.votes[0].aspects) == ((span,), best)


def test_gold_is_mixed_in_for_everybody_and_scored(store):
    store.add_rows("charts", make_rows(12))
    for pair in (1, 2):
        first = min(c.id for c in store.item(pair).candidates)
        store.team.set_gold("lea", pair, "choose", first, "Look at the legend.")
    values = {"gold_share": 0.2, "gold_feedback": True, "overlap": 2, "repeat_share": 0}
    store.team.change_settings("lea", "charts", values)
    assert store.team.gold_pairs("charts") == 2
    said = []
    for name in ("ana", "ben"):
        while card := store.claim(name):
            said.append(store.save(answer(card, name, by_first(card))).feedback)
        assert store.progress(name).labelled == 10 + 2
    quality = store.team.quality("charts", resamples=10)
    assert quality.people[0].gold.value == 1
    assert quality.people[0].gold.count == 2
    assert "Right. Look at the legend." in said
    assert store.team.case(1, "lea").gold[0] == "choose"
    store.team.unset_gold("lea", 1)
    assert store.team.case(1, "lea").gold is None
    assert store.team.gold_pairs("charts") == 1
    store.team.change_settings("lea", "charts", {"overlap": 3})
    assert store.claim("cho").pair_id == 1


def test_a_pair_is_shown_again_swapped_and_does_not_count(store, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda person, pair, share: pair == 1)
    store.add_rows("charts", make_rows(14))
    seen, again = [], None
    first = store.claim("ana")
    while card := store.claim("ana"):
        if card.repeat:
            again = card
            assert len(seen) == assignment_queue.BETWEEN + 1
            assert card.current is None
            event = answer(card, "ana", by_first(card), repeat=True)
            store.save(event)
            assert store.undo("ana").repeat
            card = store.claim("ana")
            assert card.repeat
        seen.append(card.pair_id)
        store.save(answer(card, "ana", by_first(card), repeat=card.repeat))
    assert again.pair_id == 1
    assert again.left.candidate_id == first.right.candidate_id
    assert store.progress("ana").labelled == 15  # to her it is one more like the others
    assert store.progress().labelled == 14
    assert len(store.history("ana", limit=200)) == 14
    assert store.team.quality("charts", 0).consistency.value == 1
    with pytest.raises(InputError, match="answered twice"):
        card = store.card(2, "ana")
        store.save(answer(card, "ana", repeat=True))


def test_answering_a_second_showing_as_a_first_one_ends_it(store, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda *_: True)
    store.add_rows("charts", make_rows(30))
    answers = 0
    while card := store.claim("ana"):
        answers += 1
        store.save(answer(card, "ana"))
        assert answers <= 60
    assert store.progress("ana").labelled == 30


def test_the_share_shown_again_is_about_what_was_asked_for():
    drawn = sum(gold.is_repeated(Viewer("s", "ana"), pair, 0.05) for pair in range(4000))
    assert 140 < drawn < 260


def test_the_qualification_round_comes_first_and_can_be_failed(store):
    store.add_rows("charts", make_rows(6))
    for pair in (5, 6):
        first = min(c.id for c in store.item(pair).candidates)
        store.team.set_gold("lea", pair, "choose", first)
    assert store.team.standings("charts") == {}
    store.team.change_settings("lea", "charts", {"qualification": 2, "gold_share": 0})
    cards = store.claim_several("ana", count=2)
    assert [card.pair_id for card in cards] == [5, 6]
    assert store.team.standing("ana", None) == {"charts": "qualifying"}
    assert label_all(store, "ben", kind="tie") == 2
    assert store.team.standing("ben", "charts") == {"charts": "failed"}
    assert store.team.standings("charts") == {"ben": "failed"}
    store.team.clear("lea", "ben")
    assert store.claim("ben").pair_id == 1
    assert ("cleared", "annotator: ben") in {
        (line.action, line.what) for line in store.team.log(dataset="charts")
    }
    while (card := store.claim("ana")) and card.pair_id >= 5:
        store.save(answer(card, "ana", by_first(card)))
    card = store.claim("ana")
    assert card.pair_id < 5
    assert store.team.standings("charts") == {"ana": "passed", "ben": "let on"}


def test_nothing_waits_for_somebody_who_failed_the_qualification(store):
    store.add_rows("charts", make_rows(6))
    store.add_rows("more", make_rows(2))
    for pair in (5, 6):
        store.team.set_gold("lea", pair, "choose", store.item(pair).candidates[0].id)
    store.team.change_settings("lea", "more", {"repeat_share": 0})
    store.team.change_settings("lea", "charts", {"qualification": 2, "gold_share": 0})
    assert store.progress("ben", "charts").waiting > 0
    assert label_all(store, "ben", kind="tie") == 4  # both gold pairs, and all of the other dataset
    for at_end in (False, True):
        found = store.progress("ben", "charts", at_end=at_end)
        assert (found.labelled, found.waiting) == (2, 0)
        assert store.progress("ben", at_end=at_end).waiting == 0
    assert store.progress("ben", "charts", at_end=True).elsewhere == 4
    store.team.clear("lea", "ben")
    assert store.progress("ben", "charts", at_end=True).waiting == 4


def test_gold_pairs_are_done_because_they_need_no_answers(store):
    store.add_rows("charts", make_rows(4))
    store.team.set_gold("lea", 4, "choose", store.item(4).candidates[0].id)
    store.team.change_settings("lea", "charts", {"repeat_share": 0})
    found = store.team.quality("charts", 0)
    assert (found.done, found.pairs, found.golden) == (1, 4, 1)
    label_all(store, "ana")
    found = store.team.quality("charts", 0)
    assert (found.done, found.pairs, found.forecast.answers) == (4, 4, 0)


def test_guidelines_are_versioned_and_a_stale_edit_is_a_conflict(store):
    store.add_rows("charts", make_rows(1))
    assert store.team.guidelines("charts").version == 0
    store.team.write_guidelines("lea", "charts", "# One", seen=0)
    store.team.write_guidelines("lea", "charts", "# Two", seen=1)
    with pytest.raises(ConflictError, match="Guidelines were changed by lea meanwhile"):
        store.team.write_guidelines("eve", "charts", "# Mine", seen=1)
    assert store.team.guidelines("charts").text == "# Two"
    assert store.team.guidelines("charts", 1).text == "# One"
    assert store.claim("ana").guideline == 2


def test_the_log_tells_who_did_what(store):
    store.add_rows("charts", make_rows(2))
    store.team.change_settings("lea", "charts", {"overlap": 2})
    store.save(answer(store.claim("ana"), "ana"))
    store.team.decide(DecisionEvent("d-1", 1, "lea", "tie"))
    actions = {(line.who, line.action) for line in store.team.log()}
    assert actions == {("lea", "settings"), ("ana", "choose"), ("lea", "decided: tie")}
    assert [line.what for line in store.team.log(who="ana")] == ["pair 1"]
    item = store.browse()[0]
    store.edit(TextChange(item.id, item.candidates[0].id, item.revision, "better", "lea"))
    hers = {(line.action, line.what) for line in store.team.log(who="lea")}
    assert ("edited an answer", "row row-0") in hers
    with store.importing("charts", source="more.jsonl") as batch:
        batch.add_rows(make_rows(3))
    assert ("import", "more.jsonl") in {(one.action, one.what) for one in store.team.log()}
    assert store.team.log(dataset="nothing") == []


def test_heartbeat_renews_and_leaving_releases(store, clock):
    store.add_rows("charts", make_rows(1))
    store.claim("ana")
    clock.now += 500
    assert store.heartbeat("ana") == 1
    clock.now += 500
    assert store.claim("ben") is None
    assert store.release("ana") == 1
    assert store.claim("ben") is not None
    assert store.heartbeat("nobody") == 0


def gold_of(store, name: str) -> tuple[float | None, int]:
    figures = {one.name: one.gold for one in store.team.quality("charts", 0).people}
    return figures[name].value, figures[name].count


def test_an_answer_that_defined_the_gold_or_came_before_it_does_not_count(store, clock):
    store.add_rows("charts", make_rows(3))
    store.team.change_settings("lea", "charts", {"overlap": 3, "repeat_share": 0})
    for name, side in (("lea", "left"), ("ben", "right")):
        card = store.claim(name)
        store.save(answer(card, name, side))
    clock.now += 60
    mine = store.card(1, "lea").current
    store.team.set_gold("lea", 1, mine.kind, mine.winner_id)
    assert gold_of(store, "lea") == gold_of(store, "ben") == (None, 0)
    # Who says what is right without having answered is not asked, and answers late for nothing.
    store.team.set_gold("eve", 2, "tie", None)
    assert [card.pair_id for card in store.claim_several("eve", count=5)] == [3]
    store.save(answer(store.card(2, "eve"), "eve", kind="tie"))
    assert gold_of(store, "eve") == (None, 0)
    for pair in (1, 2):
        store.save(answer(store.card(pair, "cho"), "cho", kind="tie"))
    assert gold_of(store, "cho") == (0.5, 2)
    # Whoever corrects it later has defined it, too.
    store.team.set_gold("cho", 1, "tie", None)
    assert gold_of(store, "cho") == (1.0, 1)


def test_nobody_fails_a_round_without_an_answer_that_counts(store, clock):
    store.add_rows("charts", make_rows(4))
    first = store.claim("lea")
    store.save(answer(first, "lea"))
    clock.now += 60
    store.team.set_gold("lea", 1, "tie", None)
    store.team.change_settings("lea", "charts", {"qualification": 1, "gold_share": 0})
    assert store.team.standing("lea", None) == {}
    assert store.claim("lea").pair_id == 2
    assert store.team.standings("charts") == {"lea": "not tested"}
    store.save(answer(store.claim("ben"), "ben"))
    assert store.team.standing("ben", None) == {"charts": "failed"}
