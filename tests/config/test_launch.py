"""Where a run goes, and for how long."""

import pytest

from studio.config import run_file
from studio.core.errors import ConfigError


@pytest.mark.parametrize(
    ("launch", "said"),
    [
        ({"engine": "slurm"}, "give local, accelerate:<config file> or hf-jobs:<flavor>"),
        ({"engine": "hf-jobs:"}, "hf-jobs:a10g-small"),
        ({"timeout": "6x"}, "like 90m or 6h"),
        ({"timeout": "0h"}, "like 90m or 6h"),
    ],
)
def test_where_a_run_goes_is_asked_for_in_words(launch, said):
    with pytest.raises(ConfigError, match="launch") as refused:
        run_file.parse({"launch": launch})
    assert said in str(refused.value) and "pattern" not in str(refused.value)
