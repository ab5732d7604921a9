"""Which rows are computed together."""

import numpy as np

from studio.models.answering.batches import batches, windows
from studio.models.answering.decoder import TokenRow
from studio.models.answering.row_prompts import RowPrompt
from studio.models.image_features.lazy_images import ImageRef


def token_row(number: int, length: int, *images: str) -> TokenRow:
    ids = np.zeros(length, dtype=np.int64)
    return TokenRow(number, ids, ids - 1, images)


def prompt(number: int, text: str, *images: str) -> RowPrompt:
    return RowPrompt(number, [], text, tuple(ImageRef(key, "") for key in images))


def numbers(found) -> list[list[list[int]]]:
    return [[[row.number for row in group] for group in batch] for batch in found]


def test_rows_of_one_image_are_in_one_group_and_the_longest_come_first():
    rows = [token_row(0, 5, "a"), token_row(1, 9, "b"), token_row(2, 7, "a"), token_row(3, 3)]
    assert numbers(batches(rows, 3)) == [[[1], [2, 0]], [[3]]]


def test_no_batch_is_larger_than_asked_and_no_row_is_lost():
    rows = [token_row(n, 1 + n % 5, "abc"[n % 3]) for n in range(20)]
    found = batches(rows, 4)
    assert max(sum(map(len, batch)) for batch in found) <= 4
    assert sorted(row.number for batch in found for group in batch for row in group) == list(
        range(20)
    )


def test_a_window_holds_all_rows_of_an_image_and_rows_with_as_many_images():
    prompts = [prompt(n, "?" * n, "ab"[n % 2]) for n in range(6)]
    prompts += [prompt(6, "text"), prompt(7, "two", "a", "b")]
    found = [[one.number for one in window] for window in windows(prompts, 1)]
    assert found == [[6, 0, 2, 4], [1, 3, 5, 7]]
