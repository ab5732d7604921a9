"""The state of a pair follows from its votes and the settings alone."""

from __future__ import annotations

import pytest

from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.labeling.projection import State, Vote, pair_state

A, B, TIE = Vote("choose", 1), Vote("choose", 2), Vote("tie", "tie")
SKIP, FLAGGED = Vote("skip", "skip"), Vote("choose", 1, flagged=True)
UNSURE = Vote("unsure", "unsure")


@pytest.mark.parametrize(
    ("votes", "overlap", "state"),
    [
        ([], 1, State(0, 0, True, "")),
        ([A], 1, State(1, 0, False, "")),
        ([A], 2, State(1, 0, True, "")),
        ([A, A], 2, State(2, 0, False, "")),
        ([A, B], 2, State(2, 0, False, "disagreed")),
        ([A, B], 3, State(2, 0, True, "")),
        ([A, B, A], 3, State(3, 0, False, "")),
        ([A, B, TIE], 3, State(3, 0, False, "disagreed")),
        ([SKIP, SKIP], 1, State(0, 2, True, "")),
        ([SKIP, SKIP, SKIP], 1, State(0, 3, False, "skipped")),
        ([SKIP, UNSURE, UNSURE], 1, State(0, 3, False, "skipped")),
        ([SKIP, SKIP, SKIP, A], 1, State(1, 3, False, "")),
        ([FLAGGED], 1, State(1, 0, False, "flagged")),
        ([Vote("skip", "skip", True)], 1, State(0, 1, True, "flagged")),
    ],
)
def test_states(votes, overlap, state):
    assert pair_state(votes, ProjectSettings(overlap=overlap)) == state


def test_a_decision_ends_it_and_gold_never_waits():
    settings = ProjectSettings(overlap=2)
    assert pair_state([A, B], settings, decided=True) == State(2, 0, False, "decided")
    assert pair_state([], settings, closed=True) == State(0, 0, False, "")
