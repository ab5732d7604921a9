"""What a page knows of a pair: numbers and sides made for one person, and nothing else."""

from __future__ import annotations

import itertools

import pytest

from studio.annotation.labeling.showings import LAST_PAIR, Viewer, showing, sides_of
from studio.core.errors import InputError
from tests.annotation.conftest import answer, make_rows

ANA, BEN = Viewer("secret", "ana"), Viewer("secret", "ben")


def test_every_showing_has_one_handle_that_no_order_can_be_read_from():
    numbers = [*range(1, 400), LAST_PAIR]
    found = {ANA.handle(n, again): (n, again) for n in numbers for again in (False, True)}
    assert len(found) == 2 * len(numbers)
    assert all(ANA.number(handle) == was for handle, was in found.items())
    assert min(found) >= 1 and max(found) <= 2**53
    handles = [ANA.handle(number) for number in numbers]
    rising = sum(one < two for one, two in itertools.pairwise(handles))
    assert 150 < rising < 250


def test_a_handle_of_somebody_else_or_of_another_studio_is_another_pair():
    for other in (BEN, Viewer("other", "ana")):
        assert other.number(ANA.handle(7)) != (7, False)
        assert other.handle(7) != ANA.handle(7)


def test_the_coin_and_the_draws_need_the_secret():
    mine = [ANA.left_is_first(pair) for pair in range(2000)]
    other = [Viewer("other", "ana").left_is_first(pair) for pair in range(2000)]
    assert 900 < sum(one == two for one, two in zip(mine, other, strict=True)) < 1100


def test_a_token_is_of_one_showing_to_one_person():
    token = ANA.showing(7, False, 20)
    assert (sides_of(ANA, 7, False, (20, 21), token).left, 21) == (20, 21)
    assert sides_of(ANA, 7, False, (19, 20), token).right == 19
    for person, pair, again, both in (
        (BEN, 7, False, (20, 21)), (ANA, 8, False, (20, 21)), (ANA, 7, True, (20, 21)),
        (ANA, 7, False, (30, 31)),
    ):  # fmt: skip
        with pytest.raises(InputError, match="not yours"):
            sides_of(person, pair, again, both, token)


def test_a_showing_tells_nothing_that_its_pair_must_not_tell(store):
    store.add_rows("charts", make_rows(12))
    plain = {field for field in showing(store.claim("ana")).__dataclass_fields__}
    assert not plain & {"repeat", "qualifying", "gold", "state"}
    cards = store.claim_several("ana", count=12)
    shown = [showing(card) for card in cards]
    assert "candidate" not in repr(shown)
    assert not {one.pair_id for one in shown} & {card.pair_id for card in cards}
    assert len({one.version for one in shown}) == 12


def test_the_second_showing_looks_like_a_first(store, monkeypatch):
    from studio.annotation.quality import gold

    monkeypatch.setattr(gold, "is_repeated", lambda person, pair, share: pair == 1)
    store.add_rows("charts", make_rows(14))
    shown = {}
    while card := store.claim("ana"):
        sent = showing(card)
        assert sent.pair_id not in shown
        assert sent.current is None and sent.authors == ()
        shown[sent.pair_id] = sent.version
        store.save(answer(card, "ana", repeat=card.repeat))
    assert len(shown) == 15 and min(shown.values()) > 0


def test_sides_are_fair_and_differ_between_people():
    ana = [Viewer("s", "ana").left_is_first(pair) for pair in range(2000)]
    ben = [Viewer("s", "ben").left_is_first(pair) for pair in range(2000)]
    assert 900 < sum(ana) < 1100
    assert 900 < sum(one == two for one, two in zip(ana, ben, strict=True)) < 1100
