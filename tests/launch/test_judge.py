"""A model judges the pairs of a dataset, and is measured; people's figures do not move."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from studio.annotation import AnnotationStore, ExportPolicy, LabelEvent
from studio.cli.main import main
from studio.core.errors import BusyError, InputError, NotFoundError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.launch.judge import count_judge, find_judge, judges_of, run_judge
from studio.models.endpoint_errors import EndpointError
from tests.models.endpoint_stand_in import completion, refusal, stand_in

PAIRS = 6
NAME = "judge:small-vlm"


def by_content(body):
    """Prefer the right answer, wherever it stands; say nonsense of pair 5, go with the order in 4."""
    text = "".join(p.get("text", "") for p in body["messages"][0]["content"])
    if "question 5" in text:
        return completion("What a day!")
    if "question 4" in text:
        return completion("Verdict: A")
    return completion("Verdict: A" if text.rindex("right") < text.rindex("wrong") else "Verdict: B")


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace, tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    sha = ImageStore(workspace).add(tmp_path / "red.png")
    rows = [
        Row(
            str(number),
            (sha,),
            (Message("user", (Part("image"), Part("text", f"question {number}"))),),
            candidates=(Answer(f"right {number}", "new"), Answer(f"wrong {number}", "old")),
        )
        for number in range(PAIRS)
    ]
    opened = AnnotationStore(workspace.database_url)
    opened.add_rows("set", rows)
    yield opened
    opened.close()


@pytest.fixture
def server():
    with stand_in() as running:
        running.reply = by_content
        yield running


@pytest.fixture
def model(workspace, server):
    return find_judge(workspace, endpoint=server.url, model="small-vlm")


def people_say(store, right, *, who="ana"):
    """Let somebody prefer the right answer to the first questions, the wrong one to the rest."""
    while (card := store.claim(who, "set")) is not None:
        number = int(card.question.split()[-1])
        wanted = "right" if number < right else "wrong"
        side = card.left if card.left.text.startswith(wanted) else card.right
        store.save(
            LabelEvent(
                key=f"{who} {card.pair_id} {card.repeat}", pair_id=card.pair_id, annotator=who,
                kind="choose", winner_id=side.candidate_id, expected_version=card.version,
                repeat=card.repeat,
            )
        )  # fmt: skip


def test_judge_is_measured_and_nothing_of_people_moves(workspace, store, server, model):
    before = store.datasets(), store.progress(None, "set"), store.trainable_state("set")
    report = run_judge(workspace, "set", model, store=store)
    figures = report.figures
    assert (report.judge, report.judged, report.failed) == (NAME, PAIRS, {})
    assert (figures.pairs, figures.ties, figures.unreadable) == (PAIRS, 1, 1)
    assert figures.changed_mind.value == pytest.approx(1 / 5) and figures.changed_mind.low > 0
    assert figures.wins == {"new": 4} and not figures.counted
    assert figures.gold.value is None and figures.people_kappa.why
    assert (store.datasets(), store.progress(None, "set"), store.trainable_state("set")) == before
    assert store.answers("set") == [] and not store.preferences("set")
    assert store.claim("ana", "set") is not None  # every pair still waits
    asked = len(server.asked)
    assert asked == 2 * PAIRS
    again = run_judge(workspace, "set", model, store=store)  # nothing is asked or kept twice
    assert (again.judged, again.known, len(server.asked)) == (0, PAIRS, asked)
    assert again.figures == figures


def test_kappa_against_people_and_gold_has_intervals(workspace, store, model):
    people_say(store, 3)
    pairs = {item.external_id: item for item in store.every()}
    for number in (0, 3):
        item = pairs[str(number)]
        right = next(c.id for c in item.candidates if c.text.startswith("right"))
        store.team.set_gold("lead", item.pairs[0].id, "choose", right)
    figures = run_judge(workspace, "set", model, store=store).figures
    assert (figures.gold.value, figures.gold.count) == (1.0, 2)
    told = figures.people_kappa
    assert told.low < told.value < told.high and told.count == 5
    assert set(figures.people) == {"ana"} and figures.people["ana"] == told
    quality = store.team.quality("set")
    assert [person.name for person in quality.people] == ["ana"]


def test_lead_lets_a_judge_count_and_takes_it_back(workspace, store, model):
    run_judge(workspace, "set", model, store=store)
    with pytest.raises(InputError, match="has judged no pair"):
        count_judge(workspace, "set", "judge:other", who="lead")
    assert count_judge(workspace, "set", NAME, who="lead") == 5
    assert count_judge(workspace, "set", NAME, who="lead") == 0  # nothing doubled
    answers = store.answers("set")
    assert {one["annotator"] for one in answers} == {NAME} and len(answers) == 5
    assert "both orders" in answers[0]["comment"]
    assert len(store.preferences("set", ExportPolicy(annotators=(NAME,)))) == 4
    assert judges_of(workspace, "set")[0].counted
    assert not judges_of(workspace, "set")[0].people  # never compared with itself
    assert count_judge(workspace, "set", NAME, who="lead", counted=False) == 5
    assert store.answers("set") == [] and not judges_of(workspace, "set")[0].counted
    assert store.claim("ana", "set") is not None


def test_endpoint_that_goes_down_keeps_what_was_judged(workspace, store, server, model):
    calls = iter(range(99))
    server.reply = lambda body: refusal(401) if next(calls) >= 8 else completion("tie")
    with pytest.raises(EndpointError, match="wants a key"):
        run_judge(workspace, "set", model, store=store)
    assert store.judges.figures("set", NAME).pairs == 4
    server.reply = by_content
    report = run_judge(workspace, "set", model, store=store)
    assert (report.known, report.judged) == (4, 2)


def test_it_stops_when_asked_and_goes_on(workspace, store, model):
    stops = iter([False, True])
    first = run_judge(workspace, "set", model, store=store, stopped=lambda: next(stops))
    assert first.stopped and first.judged == 4
    assert run_judge(workspace, "set", model, store=store, limit=1).judged == 1


def test_pairs_that_are_refused_are_counted_and_asked_again(workspace, store, server, model):
    server.reply = lambda body: refusal(400, "too many tokens") if len(server.asked) == 1 else (
        completion("Verdict: tie")
    )  # fmt: skip
    report = run_judge(workspace, "set", model, store=store)
    assert report.judged == PAIRS - 1
    ((reason, number),) = report.failed.items()
    assert "too many tokens" in reason and number == 1
    server.reply = by_content
    assert run_judge(workspace, "set", model, store=store).judged == 1


def test_two_judges_at_once_stay_apart_and_one_is_not_run_twice(workspace, store, server, model):
    other = find_judge(workspace, endpoint=server.url, model="other")

    def meanwhile(done, total):
        with pytest.raises(BusyError, match="already"):
            run_judge(workspace, "set", model, store=store)
        run_judge(workspace, "set", other, store=store)

    run_judge(workspace, "set", model, store=store, progress=meanwhile)
    assert [one.pairs for one in judges_of(workspace, "set")] == [PAIRS, PAIRS]


def test_unknown_dataset_and_model_are_said(workspace, store, model):
    with pytest.raises(NotFoundError, match="gone"):
        run_judge(workspace, "gone", model, store=store)
    with pytest.raises(InputError, match="Which model"):
        find_judge(workspace, endpoint="http://localhost:1")
    store.delete(store.ids())  # in the bin: nothing to judge
    assert run_judge(workspace, "set", model, store=store).judged == 0


def test_command_says_what_leaves_and_gives_one_object(
    workspace, store, server, capsys, monkeypatch
):
    base = ["judge", "set", "--workspace", str(workspace.root), "--json"]
    asked = [*base, "--endpoint", server.url, "--model", "small-vlm"]
    assert main(asked) == 0
    out = capsys.readouterr()
    assert "answers of 6 pairs are sent to 127.0.0.1" in out.err
    assert json.loads(out.out)["figures"]["pairs"] == PAIRS
    assert main([*base]) == 0
    assert json.loads(capsys.readouterr().out)["judges"][0]["judge"] == NAME
    assert main([*base, "--count", NAME]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == 5
    # Another machine: without a yes nothing is sent.
    away = [*base, "--endpoint", "http://192.0.2.1/v1", "--model", "m"]
    monkeypatch.setattr("typer.confirm", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(away) == 130
    assert "leave this machine" in capsys.readouterr().err
