"""Keeps libraries from talking over the studio's own messages."""

from __future__ import annotations

import logging
import warnings

REPORT = "LOAD REPORT"


def quiet_libraries() -> None:
    """Silence progress bars, deprecations between libraries, and hints about optional kernels.

    The table of weights that do not fit is silenced too: `studio.models.weights_check` refuses
    them with their names.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    logging.getLogger("transformers.modeling_utils").addFilter(_is_no_report)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()


def _is_no_report(record: logging.LogRecord) -> bool:
    return REPORT not in record.getMessage()
