"""Files of the Data tab: for leads only, and said to be missing in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api.data import router
from studio.core.paths import Workspace


@dataclass
class Person:
    """The parts of the studio's context that the routes use."""

    workspace: Workspace
    lead: bool = True
    accounts: object | None = None

    def user(self, request) -> str:
        return "lea"

    def is_lead(self, request) -> bool:
        return self.lead


@pytest.fixture
def person(tmp_path) -> Person:
    return Person(Workspace.locate(tmp_path))


@pytest.fixture
def client(person) -> TestClient:
    app = FastAPI()
    app.include_router(router(person))
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_rows_left_out_are_a_file_of_their_import(client, person):
    path = person.workspace.left_out(3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("line,column,reason\n4,image,gone\n")
    answer = client.get("/studio/imports/3/left-out.csv")
    assert answer.text == "line,column,reason\n4,image,gone\n"
    assert "import-3-left-out.csv" in answer.headers["content-disposition"]


def test_what_is_not_there_is_a_sentence(client):
    missing = client.get("/studio/imports/4/left-out.csv")
    assert missing.status_code == 404 and "Import 4 left no rows out." in missing.json()["message"]
    unchecked = client.get("/studio/checks/report.json", params={"dataset": "../x\x00"})
    assert unchecked.status_code == 404 and "not been checked" in unchecked.json()["message"]


@pytest.mark.parametrize("path", ["imports/1/left-out.csv", "checks/report.json?dataset=x"])
def test_annotators_get_none_of_it(client, person, path):
    person.lead = False
    assert client.get(f"/studio/{path}").status_code == 403


@pytest.mark.parametrize("number", ["0", "-1", "1e3", str(2**60)])
def test_a_number_that_no_import_has_is_refused(client, number):
    assert client.get(f"/studio/imports/{number}/left-out.csv").status_code == 422
