"""The word an open page asks for: it changes with what is shown, and tells annotators no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.login import login_router
from studio.api.context import StudioContext
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.runs import queue
from studio.runs.control import command_file
from studio.runs.event_log import EventLog
from studio.runs.status import update_status, write_status
from studio.runs.store import RunStore
from studio.ui.shell import change_notification
from studio.ui.shell.header import PageHeader

LOCAL = "http://127.0.0.1:7860"
RUNS, HEADER = 0, 1  # as assets/web/shell/change-pulse.js has them


def studio(folder: Path, accounts: Accounts | None = None) -> tuple[StudioContext, FastAPI]:
    workspace = Workspace.locate(folder / "workspace")
    runs = RunStore(workspace)
    images = ImageStore(workspace)
    context = StudioContext(workspace, None, images, runs, None, None, None, accounts)
    app = FastAPI()
    app.include_router(change_notification.router(context))
    app.include_router(change_notification.router(context, runs=False), prefix="/annotate")
    if accounts is not None:
        app.include_router(login_router(accounts))
    return context, app


def words(client: TestClient, page: str = "") -> list[str]:
    answer = client.get(f"{page}/studio/pulse")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    return answer.text.split()


def word(client: TestClient, page: str = "") -> str:
    return words(client, page)[RUNS]


def header_word(client: TestClient, page: str = "") -> str:
    return words(client, page)[HEADER]


def test_the_word_changes_when_something_shown_does_and_only_then(tmp_path: Path) -> None:
    context, app = studio(tmp_path)
    client = TestClient(app, base_url=LOCAL)
    told = [word(client)]
    run = context.runs.create(RunConfig(name="mine"))
    for change in (
        lambda: None,
        lambda: EventLog(run.paths.events).append("metrics", step=1, loss=1.0),
        lambda: run.paths.log.write_text("a line\n"),
        lambda: update_status(run.paths, state="running"),
        lambda: command_file.request(run.paths, "stop"),
        lambda: queue.set_paused(context.workspace, True),
        lambda: context.runs.delete(run.run_id),
    ):
        change()
        told.append(word(client))
        assert word(client) == told[-1]
    assert len(set(told)) == len(told)


def test_another_host_is_refused(tmp_path: Path) -> None:
    _, app = studio(tmp_path)
    assert TestClient(app, base_url="http://evil.example").get("/studio/pulse").status_code == 403


@pytest.mark.parametrize(("name", "told"), [("lea", True), ("ana", False)])
def test_runs_move_the_word_of_leads_alone(tmp_path: Path, name: str, told: bool) -> None:
    file = tmp_path / "accounts.yaml"
    add_user(file, "lea", "lead", "password of lea")
    add_user(file, "ana", "annotator", "password of ana")
    context, app = studio(tmp_path, Accounts.load(file))
    client = TestClient(app, base_url=LOCAL, follow_redirects=False)
    assert client.get("/studio/pulse").status_code == 401
    client.post("/login", data={"name": name, "password": f"password of {name}"})
    before, without_runs = word(client), word(client, "/annotate")
    context.runs.create(RunConfig(name="mine"))
    assert (word(client) != before) == told
    assert word(client, "/annotate") == without_runs


@pytest.mark.parametrize(("tabs", "page"), [(("data", "runs"), ""), (("annotate",), "/annotate")])
def test_the_header_carries_the_word_of_its_page(tmp_path: Path, tabs, page: str) -> None:
    context, app = studio(tmp_path)
    context.runs.create(RunConfig(name="mine"))
    client = TestClient(app, base_url=LOCAL)
    assert change_notification.mark(header_word(client, page)) in PageHeader(context, tabs).html()


def test_the_header_is_not_drawn_with_every_step(tmp_path: Path) -> None:
    context, app = studio(tmp_path)
    client = TestClient(app, base_url=LOCAL)
    run = context.runs.create(RunConfig(name="mine"))

    def now(**status: object) -> str:
        known = {"state": "running", "stage": "training", "total_steps": 1000, "updated": 1500.0}
        write_status(run.paths, replace(run.status, **(known | status)))
        return header_word(client)

    words = [now(step=11), now(step=14, updated=1501.0)]
    assert words[0] == words[1]
    words += [now(step=20), now(step=20, stage="saving"), now(step=20, updated=1516.0)]
    assert len(set(words)) == 4
