"""Keys and values in tensors with room: the same as those that are copied at every token."""

import torch
from transformers.cache_utils import DynamicCache

from studio.models.answering.key_value_cache import ROOM, empty_cache


def states(rows: int, tokens: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, 3, tokens, 4, generator=made) for _ in range(2))


def test_it_holds_what_the_copying_cache_holds():
    ours, theirs = empty_cache(), DynamicCache()
    rows = [0, 0, 1, 1, 1]

    def update(count: int, tokens: int, seed: int) -> None:
        for layer in (0, 1):
            key, value = states(count, tokens, seed + layer)
            found, wanted = ours.update(key, value, layer), theirs.update(key, value, layer)
            assert all(map(torch.equal, found, wanted))

    update(2, 9, 1)
    for cache in (ours, theirs):
        cache.batch_select_indices(torch.tensor(rows))
    for step in range(2 * ROOM):
        update(5, 1 + step % 2, step)
    for cache in (ours, theirs):
        cache.batch_select_indices(torch.tensor([4, 0]))
    update(2, 1, 99)
    assert ours.get_seq_length() == theirs.get_seq_length()


def test_a_further_token_is_written_in_place():
    cache = empty_cache()
    cache.update(*states(1, 5, 0), 0)
    before = cache.layers[0].keys.data_ptr()
    cache.update(*states(1, 1, 1), 0)
    assert cache.layers[0].keys.data_ptr() == before
