"""What gives a writer away."""

from studio.metrics.style_tells import style_tells


def test_length_marks_and_openings_are_told_once_for_whom_they_are():
    short = ["Blue it is now"] * 6
    long = ["**As an AI model, I would say that it is blue**, since the chart shows it"] * 6
    told = style_tells({"base": short, "tuned": long})
    assert len(told) == 4
    assert "tuned writes 5.2 times as much as base" in told
    assert any("tuned uses Markdown in 100%" in one for one in told)
    assert any("tuned begins 100% of its answers with “**as an ai”" in one for one in told)


def test_writers_alike_and_too_few_answers_tell_nothing():
    assert style_tells({"a": ["It is blue"] * 9, "b": ["It is red"] * 9}) == []
    assert style_tells({"a": ["x"], "b": ["much longer than that"]}) == []
