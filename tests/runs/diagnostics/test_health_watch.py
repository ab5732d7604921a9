"""Signs are told once, and a resume is no new beginning."""

from studio.runs.diagnostics.health_watch import HealthWatch
from studio.runs.event_log import Event


def test_what_was_told_before_a_resume_is_not_told_again():
    watch = HealthWatch("dpo", 2, 100)
    (finding,) = watch.see({"step": 1, "rewards/accuracies": 0.5})
    events = [
        Event("metrics", 0.0, {"step": 1, "rewards/accuracies": 0.5}),
        Event("finding", 0.0, finding.to_event()),
    ]
    again = HealthWatch("dpo", 2, 100)
    again.replay(events)
    assert again.see({"step": 2, "rewards/accuracies": 0.5}) == []


def test_steps_that_were_gone_back_from_did_not_happen():
    watch = HealthWatch("sft", 16, 200)
    metrics = [Event("metrics", 0.0, {"step": step, "loss": 1.0}) for step in range(1, 31)]
    gone = [Event("metrics", 0.0, {"step": step, "loss": 90.0}) for step in range(31, 51)]
    watch.replay([*metrics, *gone, Event("resumed", 0.0, {"step": 30})])
    assert watch.series["loss"] == [1.0] * 30


def test_lengths_before_a_resume_count():
    watch = HealthWatch("dpo", 16, 100)
    watch.replay([Event("probe_rows", 0.0, {"rows": [], "base_answer_tokens": 10.0})])
    watch.see({"step": 10, "answer_tokens": 18.0})
    (finding,) = watch.see({"step": 20, "answer_tokens": 18.0})
    assert finding.id == "longer-answers"
