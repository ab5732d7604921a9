"""An evaluation is taken along as a table or as JSON, by leads only."""

import csv
import io

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api.context import close_context, open_context
from studio.api.evaluations import router
from tests.evaluation.answered_evaluations import answered


@pytest.fixture
def context(tmp_path):
    opened = open_context(str(tmp_path / "workspace"))
    yield opened
    close_context(opened)


def test_rows_are_a_table_that_no_spreadsheet_runs(context):
    made = answered(context.workspace, {"base": ["=1+1", None]})
    app = FastAPI()
    app.include_router(router(context))
    client = TestClient(app, base_url="http://127.0.0.1:7860")
    address = f"/studio/evaluations/{made.evaluation_id}"
    reply = client.get(f"{address}/rows.csv")
    assert "attachment" in reply.headers["content-disposition"]
    head, first, second = csv.reader(io.StringIO(reply.text))
    assert head == ["row", "question", "right", "images", "base: answer", "base: exact_match"]
    assert first[4] == "'=1+1" and second[4] == "(not answered: too long)"
    found = client.get(f"{address}/result.json?rows=1").json()
    assert found["rows"] == 2 and found["records"][0]["answers"]["base"]["text"] == "=1+1"
    assert client.get(f"{address}/result.json", headers={"host": "evil.example"}).status_code >= 400
