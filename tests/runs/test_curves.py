"""Reading the diary of a run: series, pace, notices, thinning."""

import json
import math
import random

from studio.runs.curves import Diary, compared, smooth, table, tail
from studio.runs.event_log import EventLog


def metrics(log, step, **values):
    log.append("metrics", step=step, **values)


def test_reads_only_what_was_added(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    metrics(log, 1, loss=2.0, epoch=0.1)
    diary = Diary(log.path).refresh()
    assert diary.series == {"loss": [(1, 2.0)]}
    metrics(log, 2, loss=1.0)
    log.append("evaluation", step=2, eval_loss=1.5)
    diary.refresh()
    assert diary.series == {"loss": [(1, 2.0), (2, 1.0)], "eval_loss": [(2, 1.5)]}
    assert diary.last("loss") == 1.0


def test_torn_last_line_is_read_once_it_is_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    line = json.dumps({"type": "metrics", "time": 1, "step": 1, "loss": 3.0})
    path.write_text(line[:20])
    diary = Diary(path).refresh()
    assert diary.series == {}
    path.write_text(line + "\n")
    assert diary.refresh().series == {"loss": [(1, 3.0)]}


def test_events_that_no_worker_writes_are_left_out_and_logged_once_of_a_kind(tmp_path, caplog):
    log = EventLog(tmp_path / "events.jsonl")
    for step in (1, 2):
        log.append("probe", step=step, answers=3)
        metrics(log, step, loss=2.0)
    diary = Diary(log.path).refresh()
    assert diary.probes == {} and diary.series == {"loss": [(1, 2.0), (2, 2.0)]}
    assert caplog.text.count("Traceback") == 1 and str(log.path) in caplog.text


def test_steps_repeated_after_a_resume_replace_the_earlier_ones(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for step in range(1, 11):
        metrics(log, step, loss=float(step))
    metrics(log, 6, loss=0.5)
    assert Diary(log.path).refresh().series["loss"] == [
        (1, 1.0),
        (2, 2.0),
        (3, 3.0),
        (4, 4.0),
        (5, 5.0),
        (6, 0.5),
    ]


def test_not_finite_values_are_named_and_not_drawn(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    metrics(log, 1, loss=1.0)
    metrics(log, 2, loss=math.nan)
    diary = Diary(log.path).refresh()
    assert diary.series["loss"] == [(1, 1.0)]
    assert diary.not_finite == {"loss": 2}


def test_time_left_follows_the_pace(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    assert Diary(log.path).refresh().seconds_left is None
    log.append("progress", step=10, total=40, seconds_per_step=2.0)
    assert Diary(log.path).refresh().seconds_left == 60.0


def test_warning_said_twice_is_kept_once(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append("warning", message="m", remedy="r")
    log.append("warning", message="m", remedy="r")
    log.append("changed", message="batch halved")
    notices = Diary(log.path).refresh().notices
    assert [(item.type, item.message) for item in notices] == [
        ("warning", "m"),
        ("changed", "batch halved"),
    ]


def test_what_was_changed_last_is_said_last(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for said in ("weights of step 5", "weights of step 9", "weights of step 5"):
        log.append("changed", message=said)
    notices = Diary(log.path).refresh().notices
    assert [item.message for item in notices] == ["weights of step 9", "weights of step 5"]


def test_tail_shows_where_a_progress_bar_stands(tmp_path):
    path = tmp_path / "log.txt"
    assert tail(path) == ""
    path.write_text("start\n 1 %\r 50 %\r100 %\nend\n")
    assert tail(path) == "start\n100 %\nend"


def test_going_back_takes_later_points_away(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for step in range(1, 11):
        metrics(log, step, loss=float(step))
    log.append("evaluation", step=10, eval_loss=1.0)
    log.append("resumed", step=4)
    diary = Diary(log.path).refresh()
    assert diary.series["loss"][-1] == (4, 4.0) and diary.series["eval_loss"] == []


def test_the_table_has_every_step_and_metric(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    metrics(log, 1, loss=2.0)
    log.append("evaluation", step=2, eval_loss=1.5)
    assert table(Diary(log.path).refresh()) == "step,eval_loss,loss\n1,,2.0\n2,1.5,\n"


def test_several_runs_make_one_table(tmp_path):
    diaries = {}
    for name, metric in (("a", "loss"), ("b", "grad_norm")):
        log = EventLog(tmp_path / f"{name}.jsonl")
        log.append("metrics", step=1, **{metric: 0.5})
        diaries[name] = Diary(log.path).refresh()
    assert compared(diaries) == "run,step,grad_norm,loss\na,1,,0.5\nb,1,0.5,\n"


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    metrics(log, 1, **{"=HYPERLINK(1)": -2.5})
    diary = Diary(log.path).refresh()
    assert table(diary) == "step,'=HYPERLINK(1)\n1,-2.5\n"
    assert compared({"@run": diary}) == "run,step,'=HYPERLINK(1)\n'@run,1,-2.5\n"


def test_findings_probes_and_forgetting_are_read(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for title in ("first", "second"):
        log.append("finding", id="drift", step=3, title=title, meaning="m", remedy="r")
    log.append("probe_rows", rows=[{"question": "q", "images": ["ab"], "base": "b"}])
    log.append("probe", step=5, answers=["a"], answer_tokens=2.0)
    log.append("forgetting", before=1.0)
    log.append("forgetting", after=1.5)
    diary = Diary(log.path).refresh()
    assert diary.findings["drift"].title == "first"
    assert diary.probe_rows[0].base == "b" and diary.probes == {5: ["a"]}
    assert diary.series["answer_tokens"] == [(5, 2.0)]
    assert diary.forgetting == {"before": 1.0, "after": 1.5}


def test_read_in_one_go_or_line_by_line_it_is_the_same(tmp_path):
    chance = random.Random(5)
    odd = (float("nan"), float("inf"), True, None, "text", -1.5, 3)
    rows = [{"step": step, "loss": 1.0 / step, "rate": 2} for step in range(1, 60)]
    for step in range(40, 120):
        row = {"step": chance.choice((step, step, step - 30)), "loss": chance.random()}
        rows.append(row | {"odd": chance.choice(odd)} if chance.random() < 0.3 else row)
    log, piecewise = EventLog(tmp_path / "events.jsonl"), Diary(tmp_path / "events.jsonl")
    for row in rows:
        log.append("metrics", **row)
        piecewise.refresh()
    whole = Diary(log.path).refresh()
    assert whole.series == piecewise.series and len(whole.series["loss"]) > 40
    assert whole.not_finite == piecewise.not_finite


def test_foreign_lines_are_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    good = [json.dumps({"type": "metrics", "time": 1, "step": s, "loss": 3.0}) for s in (1, 2)]
    values = ('"metrics", "step": "x"', '"probe_rows", "rows": 5', '"probe", "answers": 7')
    values += ('"finding", "step": []', '"progress", "step": 1e999', '"resumed", "step": [1]')
    odd = [f'{{"time": 1, "type": {value}}}'.encode() for value in values]
    torn = (b"\xff\xfe", b"[", b'{"type": "metrics", "time": "now"}', b"7", b"{}],[{}")
    for strange in (*torn, *odd):
        path.write_bytes(b"\n".join([good[0].encode(), strange, good[1].encode(), b""]))
        assert Diary(path).refresh().series == {"loss": [(1, 3.0), (2, 3.0)]}, strange


def test_smoothing_has_no_start_up_bias():
    assert all(math.isclose(value, 5.0) for _, value in smooth([(step, 5.0) for step in range(50)]))
