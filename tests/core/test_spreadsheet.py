"""No cell of a CSV file is a formula; every cell can be had back."""

from __future__ import annotations

import pytest

from studio.core.spreadsheet import neutral, original

LIVE = [
    "=1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    " =1+1",
    "\u00a0=1+1",
    '"=1+1"',
    "' =1",
    "'=1",
    "''@x",
    "“=1+1",
    "\ufeff=1",
    "\u200b=1",
    "＝HYPERLINK(1)",
    "＋1",
    "－1+1",
    "＠x",
    "\u22121+1",
    "-3.5 =x",
    "-cmd|' /C calc'!A0",
]
PLAIN = [
    "",
    "a=1",
    "-3.5",
    "-0",
    "-1e-5",
    ".5",
    "42",
    "it's",
    "'quoted'",
    "'-3.5",
    "3 - 4",
    "é",
    "'",
]


@pytest.mark.parametrize("cell", LIVE)
def test_a_formula_gets_an_apostrophe(cell):
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", PLAIN)
def test_text_and_numbers_stay(cell):
    assert neutral(cell) == cell


@pytest.mark.parametrize("cell", [*LIVE, *PLAIN])
def test_every_cell_is_had_back(cell):
    assert original(neutral(cell)) == cell
    assert original(neutral(neutral(cell))) == neutral(cell)


def test_cells_of_the_first_version_are_had_back_by_its_rule():
    assert original("'-3.5", version=1) == "-3.5"
    assert original("' =1", version=1) == "' =1"
