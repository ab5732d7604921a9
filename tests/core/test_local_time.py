"""Times as people read them."""

import time

from studio.core.local_time import minute


def test_a_time_is_written_to_the_minute():
    assert minute(time.mktime((2026, 5, 3, 14, 5, 59, 0, 0, -1))) == "2026-05-03 14:05"
