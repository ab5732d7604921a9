"""Keeps libraries from talking over the studio's own messages."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Silence progress bars, deprecations between libraries, and hints about optional kernels."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
