"""The rows that take most memory."""

from studio.config import presets
from studio.models.model_source import load_processor
from studio.training.planning.largest_rows import sample_rows


def test_the_longest_rows_are_found(runner):
    from studio.training.run_rows import load_run_data

    config = presets.load("embedded-dpo")
    data = load_run_data(config, runner.workspace)
    processor = load_processor(config.model)
    sample = sample_rows(data, processor, "dpo")
    assert sample.tokens[sample.largest[0]] == max(sample.tokens.values())
    assert sample.tokens[sample.largest[0]] >= max(sample.spread)
