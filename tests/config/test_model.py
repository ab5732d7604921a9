"""Which models can be named."""

import pytest
from pydantic import ValidationError

from studio.config.model import ImageConfig, ModelConfig


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000])
def test_a_name_that_no_folder_and_no_repository_can_have_is_refused(name):
    with pytest.raises(ValidationError):
        ModelConfig(id=name)


@pytest.mark.parametrize("name", ["embedded", "org/name", "/data/my model", "C:\\models"])
def test_folders_and_hub_ids_are_names(name):
    assert ModelConfig(id=name).id == name


@pytest.mark.parametrize(("edge", "fits"), [(31, False), (32, True), (8192, True), (8193, False)])
def test_images_have_a_smallest_and_a_largest_edge(edge, fits):
    if fits:
        assert ImageConfig(longest_edge=edge).longest_edge == edge
    else:
        with pytest.raises(ValidationError):
            ImageConfig(longest_edge=edge)
