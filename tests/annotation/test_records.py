"""An answer's details are declared once, and go through every form of an answer whole."""

from __future__ import annotations

from studio.annotation import SideAnswer
from studio.annotation.database.tables import Label
from studio.annotation.labeling.showings import showing
from studio.annotation.quality.adjudication import shown
from studio.annotation.records import DETAILS, WRITTEN, PairView, details_of
from studio.api.annotate import SaveBody
from tests.annotation.conftest import make_rows


def test_every_detail_has_its_column_and_its_bounds():
    columns = set(Label.__table__.columns.keys())
    assert {f"{name}_id" if name in WRITTEN else name for name in DETAILS} <= columns
    assert set(DETAILS) <= set(SaveBody.model_fields)


def test_a_detail_is_the_same_on_the_page_the_card_the_lead_s_view_and_in_the_export(store):
    store.add_rows("charts", make_rows(1))
    page = showing(store.claim("ana"))
    given = {"strength": "clearly", "flagged": True}
    given |= {name: f"{name} of mine" for name in DETAILS if name not in given}
    answer = SideAnswer(
        "a-key-of-mine", page.pair_id, page.showing, "ana", "choose", "left",
        expected_version=page.version, **given,
    )  # fmt: skip
    store.saving(answer, None, 0).result()
    card, case = store.look(page.pair_id, "ana"), store.team.case(1, "lea")
    (record,) = store.answers("charts")
    for form in (card.current, showing(card).current, case.votes[0], shown(case).votes[0]):
        assert details_of(form) == given
    assert {name: record[name] for name in DETAILS} == given


def test_people_s_choice_stands_above_the_source_s():
    assert PairView(1, 2, 3, source_choice_id=2, votes=0).preferred_id == 2
    assert PairView(1, 2, 3, source_choice_id=2, votes=1, winner_id=3).preferred_id == 3
    assert PairView(1, 2, 3, source_choice_id=2, votes=2, winner_id=None).preferred_id is None
