"""Features of images: which are made together, and how they lie one after the other."""

from types import SimpleNamespace

import torch

from studio.models.image_features.image_encoder import AT_ONCE, _alike, flat_features
from studio.models.image_features.row_token_ids import ImageExpansion, Preprocessed


def image(*shape):
    return Preprocessed({"pixel_values": torch.zeros(1, *shape)}, ImageExpansion((1,)))


def test_images_of_one_shape_are_made_together_in_their_order():
    images = [image(2), image(2), image(3), *(image(2) for _ in range(AT_ONCE + 1))]
    batches = _alike(images)
    assert [len(batch) for batch in batches] == [2, 1, AT_ONCE, 1]
    assert [id(one) for batch in batches for one in batch] == [id(one) for one in images]


def test_features_of_all_layers_lie_side_by_side():
    first, second = torch.ones(2, 3), torch.full((1, 3), 2.0)
    parts = SimpleNamespace(pooler_output=(first, second))
    assert flat_features(parts).tolist() == [[1] * 3, [1] * 3, [2] * 3]
    joined = SimpleNamespace(pooler_output=torch.ones(2, 2, 3), deepstack_features=None)
    assert flat_features(joined).shape == (4, 3)
    deep = SimpleNamespace(
        pooler_output=torch.zeros(2, 3), deepstack_features=[torch.ones(2, 3), [first]]
    )
    assert flat_features(deep).shape == (2, 9)
    assert flat_features(deep)[0].tolist() == [0] * 3 + [1] * 6
