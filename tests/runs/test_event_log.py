"""The event log: read from where one left off, whole lines only."""

from studio.runs.event_log import EventLog, read_events


def test_events_are_read_from_where_one_left_off(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append("metrics", loss=1.0)
    first = read_events(log.path)
    log.append("metrics", loss=float("nan"))
    second = read_events(log.path, first.offset)
    assert [event.values for event in first.events] == [{"loss": 1.0}]
    assert len(second.events) == 1 and second.events[0].values["loss"] != 1.0


def test_a_torn_line_is_skipped_and_does_not_swallow_the_next(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append("metrics", loss=1.0)
    with log.path.open("ab") as handle:
        handle.write(b'{"type": "metrics", "ti')
    assert len(read_events(log.path).events) == 1
    log.append("metrics", loss=2.0)
    assert [event.values["loss"] for event in read_events(log.path).events] == [1.0, 2.0]
