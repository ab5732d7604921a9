import subprocess
import sys

import pytest

from studio.core.errors import InputError
from studio.evaluation.metrics import evasive_rate, exact_match, is_evasive, normalise


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  Blue. ", "blue"),
        ("“Straße”", "strasse"),
        ("A  bar\nchart.", "a bar chart"),
        ("40%", "40%"),
        ("3.5", "3.5"),
        ("１２", "12"),
    ],
)
def test_normalise(raw, normal):
    assert normalise(raw) == normal


def test_exact_match_counts_any_accepted_reference():
    assert exact_match(["Blue.", "7", "no"], ["blue", ["seven", "7"], "yes"]) == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize(("predictions", "references"), [([], []), (["a"], ["a", "b"])])
def test_exact_match_refuses_what_cannot_be_compared(predictions, references):
    with pytest.raises(InputError, match="Cannot compare"):
        exact_match(predictions, references)


@pytest.mark.parametrize(
    "text",
    [
        "The image does not provide any information about the shortest bar.",
        "The image doesn't contain enough information to answer.",
        "I cannot determine the value from the chart.",
        "I can’t tell which one is larger.",
        "I'm sorry, but I am unable to assist with that.",
        "There is not enough information.",
        "The year is not specified in the image.",
        "图片中没有提供相关信息。",
    ],
)
def test_evasive(text):
    assert is_evasive(text)


@pytest.mark.parametrize(
    "text",
    ["", "blue", "no", "A bar chart with 3 bars, red is the tallest.", "It shows information."],
)
def test_not_evasive(text):
    assert not is_evasive(text)


def test_evasive_rate():
    assert evasive_rate(["blue", "I cannot tell."]) == 0.5
    with pytest.raises(InputError):
        evasive_rate([])


def test_metrics_do_not_load_torch():
    code = "import sys, studio.evaluation.metrics, studio.models.prompts; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
