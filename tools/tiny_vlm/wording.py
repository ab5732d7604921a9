"""How people speak about each form of chart: the words that questions and answers are built from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """Words and question templates of one form; `{a}` and `{b}` are colours."""

    name: str
    parts: str
    highest: str
    lowest: str
    lowest_one: str
    count: tuple[str, ...]
    value: tuple[str, ...]
    comparison: tuple[str, ...]
    which_highest: tuple[str, ...]
    which_lowest: tuple[str, ...]
    unit: str = ""


BAR = Wording(
    name="bar chart",
    parts="bars",
    highest="tallest",
    lowest="shortest",
    lowest_one="the shortest bar",
    count=("How many bars are there?", "How many bars does the chart have?"),
    value=("What is the value of the {a} bar?", "How high is the {a} bar?"),
    comparison=("Is the {a} bar taller than the {b} bar?",),
    which_highest=("Which bar is the tallest?", "What colour is the tallest bar?"),
    which_lowest=("Which bar is the shortest?", "What colour is the shortest bar?"),
)
LINE = Wording(
    name="line chart",
    parts="lines",
    highest="highest",
    lowest="lowest",
    lowest_one="the line that ends lowest",
    count=("How many lines are there?", "How many lines does the chart have?"),
    value=("What value does the {a} line end at?", "Where does the {a} line end?"),
    comparison=("Does the {a} line end higher than the {b} line?",),
    which_highest=("Which line ends highest?", "What colour is the line that ends highest?"),
    which_lowest=("Which line ends lowest?", "What colour is the line that ends lowest?"),
)
PIE = Wording(
    name="pie chart",
    parts="slices",
    highest="largest",
    lowest="smallest",
    lowest_one="the smallest slice",
    count=("How many slices are there?", "How many slices does the chart have?"),
    value=("What share is {a}?", "How large is the {a} slice?"),
    comparison=("Is the {a} slice larger than the {b} slice?",),
    which_highest=("Which slice is the largest?", "What colour is the largest slice?"),
    which_lowest=("Which slice is the smallest?", "What colour is the smallest slice?"),
    unit="%",
)
DOT = Wording(
    name="dot plot",
    parts="colours",
    highest="most",
    lowest="fewest",
    lowest_one="the colour with the fewest dots",
    count=("How many colours are there?", "How many colours do the dots have?"),
    value=("How many {a} dots are there?", "How many dots are {a}?"),
    comparison=("Are there more {a} dots than {b} dots?",),
    which_highest=("Which colour has the most dots?", "What colour are most dots?"),
    which_lowest=("Which colour has the fewest dots?", "What colour are the fewest dots?"),
)

WORDING = {"bar": BAR, "line": LINE, "pie": PIE, "dot": DOT}
