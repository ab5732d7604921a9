"""What kept features depend on."""

from tests.training.fast_pair import Bench


def test_another_model_or_processor_shares_nothing(epochs):
    runner, sections = epochs
    folders = set()
    for change in ({}, {"image": {"split": True, "longest_edge": 192}}, {"attention": "eager"}):
        fast = Bench(runner).trainer(**sections, model=change)
        folders.add(fast.saving.cache.folder.name)
    assert len(folders) == 3
