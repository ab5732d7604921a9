"""What a child tells of its errors, and writes into its log."""

import pytest

from studio.core.child_client import PipeWorker
from studio.core.errors import ConfigError, ModelError, RunFailedError, StudioError


def test_errors_arrive_as_they_were_raised(worker: PipeWorker) -> None:
    with pytest.raises(ModelError) as refused:
        worker.call({"kind": "refuse"})
    assert (refused.value.message, refused.value.remedy, refused.value.field) == (
        "No such adapter.",
        "Pick another.",
        "adapter",
    )
    with pytest.raises(ConfigError) as problems:
        worker.call({"kind": "problems"})
    assert [problem.field for problem in problems.value.problems] == ["a", "b"]


@pytest.mark.parametrize("kind", ["refuse", "gone", "problems"])
def test_what_people_can_mend_is_one_line_in_the_log(worker: PipeWorker, kind: str) -> None:
    with pytest.raises(StudioError) as caught:
        worker.call({"kind": kind})
    log = worker.log.read_text()
    (line,) = [text for text in log.splitlines() if "Told" in text]
    assert "Traceback" not in log and line.endswith(
        f"INFO Told: {' '.join(str(caught.value).split())}"
    )


def test_what_a_library_said_keeps_its_traceback(worker: PipeWorker) -> None:
    with pytest.raises(ModelError):
        worker.call({"kind": "broken"})
    assert "ValueError: odd" in worker.log.read_text()


def test_a_bug_in_the_handler_is_reported_and_logged(worker: PipeWorker) -> None:
    with pytest.raises(RunFailedError, match="IndexError"):
        worker.call({"kind": "bug"})
    assert "Traceback" in worker.log.read_text()
    assert worker.call({"kind": "value", "value": 2})["value"] == 2
