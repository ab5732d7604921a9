"""What a run file with given values is refused with."""

import pytest

from studio.config import run_file
from studio.core.errors import ConfigError


def refusal(values: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        run_file.parse(values)
    return str(caught.value)
