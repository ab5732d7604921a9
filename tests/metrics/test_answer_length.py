from studio.metrics.answer_length import characters_score, words_score
from tests.evaluation.row_makers import row_of


def test_length():
    assert characters_score(" a red bar\n", (), row_of()) == 9
    assert words_score(" a red  bar\n", (), row_of()) == 3
    assert characters_score("", (), row_of()) == words_score("", (), row_of()) == 0
