"""Train and evaluation rows share no image."""

from __future__ import annotations

from studio.data.image_split import split_by_image


def shas(rows) -> set[str]:
    return {sha for row in rows for sha in row.images}


def test_no_image_is_on_both_sides(row):
    colours = [f"#{value:06x}" for value in range(0, 240_000, 6_000)]
    rows = [row(colour, question=str(n), completion="x") for colour in colours for n in range(3)]
    rows += [row(colours[0], colours[1], completion="linked")]
    train, held = split_by_image(rows, 0.3)
    assert len(train) + len(held) == len(rows)
    assert not shas(train) & shas(held)
    assert 0.1 < len(held) / len(rows) < 0.5


def test_a_growing_dataset_keeps_its_split(row):
    colours = [f"#{value:06x}" for value in range(0, 240_000, 6_000)]
    rows = [row(colour, completion="x") for colour in colours]
    before = shas(split_by_image(rows[:20], 0.3)[1])
    assert before <= shas(split_by_image(rows, 0.3)[1])


def test_small_sets_have_both_sides(row):
    rows = [row("red", completion="x"), row("blue", completion="x")]
    train, held = split_by_image(rows, 0.05)
    assert (len(train), len(held)) == (1, 1)
    assert split_by_image(rows[:1], 0.5) == (rows[:1], [])
    assert split_by_image(rows, 0.0) == (rows, [])
