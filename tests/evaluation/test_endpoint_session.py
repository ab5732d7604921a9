"""A model behind an endpoint as a contestant: its answers, its failures, going on."""

from __future__ import annotations

import pytest

from studio.core.errors import InputError
from studio.core.paths import EMBEDDED, Workspace
from studio.evaluation import endpoint_session, evaluation_worker
from studio.evaluation.evaluated_rows import choose_rows
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore, read_answers, read_drawn
from studio.evaluation.evaluation_worker import compute
from studio.models.answering.sampling_settings import Draw
from studio.models.endpoint_errors import EndpointError
from tests.models.endpoint_stand_in import completion, refusal, stand_in


@pytest.fixture
def server():
    with stand_in() as running:
        yield running


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_worker, "BATCHES_AT_ONCE", 1)
    monkeypatch.setattr(endpoint_session, "AT_ONCE", 1)
    return Workspace.locate(tmp_path / "workspace")


def made(workspace, server, *, model="", **wanted):
    named = f"endpoint:{server.url}#small-vlm"
    asked = Wanted(
        model or named, data="embedded:heldout", batch_size=2, max_new_tokens=8, **wanted
    )
    chosen = choose_rows(asked.data, workspace, limit=6)
    return EvaluationStore(workspace).create(*prepare_request(asked, chosen, workspace))


def test_endpoint_is_scored_like_others_and_says_what_leaves(workspace, server):
    evaluation = made(workspace, server, metrics=("exact_match", "perplexity"))
    host = server.url.removeprefix("http://").removesuffix("/v1")
    assert f"sent to {host}" in evaluation.request.notes[0]
    assert evaluation.request.metrics == ("exact_match",)
    done = compute(workspace, evaluation.evaluation_id)
    result = done.results[f"small-vlm at {host}"]
    assert result.metrics["exact_match"].rows == 6 and not result.failed
    assert len(server.asked) == 6
    again = compute(workspace, made(workspace, server).evaluation_id)
    assert len(server.asked) == 6  # known from before, and said
    assert any("used again" in note for note in again.notes)


def test_one_that_goes_down_in_the_middle_loses_nothing_and_goes_on(workspace, server):
    evaluation = made(workspace, server, metrics=("words",))
    server.replies = [completion(str(n)) for n in range(3)] + [(200, b"<html>", {})]
    with pytest.raises(EndpointError, match="no chat completion"):
        compute(workspace, evaluation.evaluation_id)
    store = EvaluationStore(workspace)
    failed = store.get(evaluation.evaluation_id)
    assert failed.status.state == "failed" and failed.status.remedy
    server.reply = lambda body: completion("later")
    done = compute(workspace, evaluation.evaluation_id)
    answers, _ = read_answers(store.paths(done))
    assert sorted(one.text for one in answers.values()) == ["0", "1", "2", *["later"] * 3]
    assert len(server.asked) == 7


def test_row_that_is_refused_has_its_reason_and_five_in_a_row_end_it(workspace, server):
    server.replies = [refusal(400, "context length")]
    done = compute(workspace, made(workspace, server, metrics=("words",)).evaluation_id)
    (reason,) = next(iter(done.results.values())).failed.values()
    assert "context length" in reason
    server.reply = lambda body: refusal(400, "never")
    request = f"endpoint:{server.url}#other"
    other = made(workspace, server, model=request, metrics=("words",))
    with pytest.raises(EndpointError, match="none of 5 questions in a row"):
        compute(workspace, other.evaluation_id)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"metrics": ("perplexity",)}, "likelihoods"),
        ({"model": "endpoint:http://localhost:1"}, "with its model"),
        ({"adapters": (".",)}, "no base for adapters"),
        (
            {"adapters": ("endpoint:http://a#m", "endpoint:http://b#m"), "model": EMBEDDED},
            "several hosts: a, b",
        ),
    ],
)
def test_what_an_endpoint_cannot_do_is_refused_before(workspace, server, wanted, words):
    with pytest.raises(InputError, match=words):
        made(workspace, server, key_from="SOME_KEY", **wanted)


def test_key_that_is_not_there_is_said_before_anything_is_asked(workspace, server):
    evaluation = made(workspace, server, metrics=("words",), key_from="NO_SUCH_KEY_HERE")
    with pytest.raises(InputError, match="NO_SUCH_KEY_HERE is not set"):
        compute(workspace, evaluation.evaluation_id)
    assert not server.asked


def test_endpoint_writes_several_answers_to_a_row(workspace, server):
    server.reply = lambda body: completion(*[f"{body['temperature']}"] * body.get("n", 1))
    draws = (Draw(0.0), Draw(0.7, 0.9, 5), Draw(0.7, 0.9, 5))
    done = compute(workspace, made(workspace, server, draws=draws, dataset="new").evaluation_id)
    drawn = read_drawn(EvaluationStore(workspace).paths(done))
    assert len(drawn) == 6
    for one in drawn.values():
        assert [answer.text for answer in one.answers] == ["0.0", "0.7", "0.7"]
    assert len(server.asked) == 12 and server.asked[1]["n"] == 2 and server.asked[1]["seed"] == 6
    server.reply = lambda body: refusal(400, "image input is not supported")
    other = made(workspace, server, draws=draws, dataset="new")
    with pytest.raises(EndpointError, match="takes no images"):
        compute(workspace, other.evaluation_id)
