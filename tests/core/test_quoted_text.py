"""Texts of others within a sentence."""

from studio.core.quoted_text import SHOWN_TEXT, quoted


def test_a_text_is_quoted_on_one_line_and_cut_where_it_is_long():
    assert quoted("one\n two") == "“one two”"
    assert quoted("x" * (SHOWN_TEXT + 1)) == f"“{'x' * SHOWN_TEXT}…”"
