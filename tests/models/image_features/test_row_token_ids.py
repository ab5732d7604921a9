"""Where the tokens of a prompt find their images."""

from types import SimpleNamespace

import pytest

from studio.models.image_features.row_token_ids import RowIds, blank, bounded, slots_of

IMAGE, TEXT, START, END = 9, 1, 7, 8


def row(prompt, *keys):
    return RowIds(prompt, ([2],), tuple(SimpleNamespace(key=key) for key in keys))


def test_image_tokens_are_numbered_by_their_features_and_text_by_none():
    sample = row([TEXT, IMAGE, IMAGE, TEXT, IMAGE], "second", "first")
    features = {"first": (0, 1), "second": (1, 2)}
    assert slots_of(sample, IMAGE, features).tolist() == [-1, 1, 2, -1, 0]


def test_an_image_that_is_there_twice_has_one_set_of_features():
    sample = row([IMAGE, TEXT, IMAGE], "same", "same")
    assert slots_of(sample, IMAGE, {"same": (4, 1)}).tolist() == [4, -1, 4]


def test_a_row_without_images_has_no_slots():
    assert slots_of(row([TEXT, TEXT]), IMAGE, {}).tolist() == [-1, -1]


def test_fewer_features_than_tokens_are_no_silent_shift():
    with pytest.raises(ValueError):
        slots_of(row([IMAGE, IMAGE, IMAGE], "one"), IMAGE, {"one": (0, 2)})


class Added(SimpleNamespace):
    lstrip = rstrip = False


@pytest.mark.parametrize(
    ("tokens", "cut_off"),
    [
        ([START, IMAGE, END], True),
        ([IMAGE, END], False),
        ([START, IMAGE], False),
        ([5, IMAGE, 5], True),
        ([6, IMAGE, 6], False),
        ([], False),
    ],
)
def test_text_is_apart_from_an_image_only_between_special_tokens(tokens, cut_off):
    """6 is an added token that takes the spaces beside it."""
    tokenizer = SimpleNamespace(
        all_special_ids=[START, END], added_tokens_decoder={5: Added(), 6: Added(lstrip=True)}
    )
    assert bounded(SimpleNamespace(tokenizer=tokenizer), tokens) is cut_off


def test_a_stand_in_is_small():
    assert blank().size == (32, 32)
