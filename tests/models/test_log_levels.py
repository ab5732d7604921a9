"""Libraries that keep quiet, and no more than that."""

import logging

from studio.models.log_levels import REPORT, quiet_libraries


def test_the_report_on_weights_is_silenced_and_warnings_are_heard(caplog):
    quiet_libraries()
    log = logging.getLogger("transformers.modeling_utils")
    log.addHandler(caplog.handler)
    try:
        log.warning("%s of weights", REPORT)
        log.warning("Something else is wrong")
        logging.getLogger("bitsandbytes").warning("A kernel is missing")
    finally:
        log.removeHandler(caplog.handler)
    heard = [record.getMessage() for record in caplog.records]
    assert "Something else is wrong" in heard
    assert not [text for text in heard if REPORT in text or "kernel" in text]
