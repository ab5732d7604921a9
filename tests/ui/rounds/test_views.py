"""What a round shows: every text from outside is inert, and each state has a word."""

from typing import get_args

from studio.config.round import RoundSettings
from studio.launch.round_state import Guard, RoundView, Step, StepState
from studio.launch.round_store import Round
from studio.ui.rounds import views

EVIL = "<img src=x onerror=alert(1)>"


def test_texts_are_inert_and_every_state_has_a_word():
    settings = RoundSettings(model=EVIL, data=EVIL, goal=EVIL)
    one = Round("20260101-000000-abcd", EVIL, settings, start=EVIL)
    steps = tuple(Step("training", state, EVIL, EVIL) for state in get_args(StepState))
    view = RoundView(one, steps, guards=(Guard("drift", False, EVIL),))
    drawn = views.head(view, EVIL) + views.figures(view) + views.round_list([one], one.round_id)
    assert "<img" not in drawn and drawn.count("&lt;img") > 10
    assert all(views.SHAPES[state][1] in drawn for state in get_args(StepState))
    assert "does not hold" in drawn and 'aria-pressed="true"' in drawn
